/** What the tests of packed weights run inside the browser. */
import { startRuntime } from "../../../src/bench/models";
import { Delivery } from "../../../src/delivery/delivery";
import { NETWORK_GRAPHS, networkParts, storedDtype } from "../../../src/delivery/networkParts";
import { memoryStorage } from "../../../src/delivery/store/storage";
import { openNetwork } from "../../../src/runtime/arrayNetwork";
import { SelfTest } from "../../../src/runtime/selfTest";

export const packedFunctions = {
  /** Opens a model of the fixtures with packed weights on WebGPU and tests its graphs; their names, or why one failed. */
  async testPacked(name: string, dtype: "q8" | "q4"): Promise<string[]> {
    const baseUrl = new URL(`/test/fixtures/${name}/`, location.href).href;
    const fetchFile = (url: string, init?: RequestInit) => fetch(url, init);
    const delivery = await Delivery.open({ baseUrl, fetchFile, storage: memoryStorage() });
    const read = (path: string) => delivery.read(path);
    const parts = await networkParts(delivery.manifest, dtype, NETWORK_GRAPHS, read, { packed: true });
    const selfTest = new SelfTest(await read(storedDtype(delivery.manifest, dtype).selfTest ?? ""));
    const tested: string[] = [];
    const onCheck = (graph: string) => tested.push(graph);
    try {
      const runtime = await startRuntime("webgpu");
      const options = { variant: "packed", selfTest, onCheck } as const;
      await (await openNetwork(delivery.manifest, parts, runtime, options)).dispose();
      return tested;
    } catch (error) {
      return [String(error)];
    }
  },
};
