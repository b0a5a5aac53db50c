/** Weights in few bits, as Python wrote them: expanded, and left packed, both give what Python stored beside them. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { NETWORK_GRAPHS, networkParts } from "../delivery/networkParts";
import { parseManifest } from "../format/manifest";
import { openNetwork } from "./arrayNetwork";
import { startWasm } from "./runtime";
import { SelfTest } from "./selfTest";

const folder = "test/fixtures/tiny-packed";
const read = async (path: string) => new Uint8Array(readFileSync(`${folder}/${path}`));
const manifest = parseManifest(readFileSync(`${folder}/manifest.json`, "utf8"));

describe.each(["q8", "q4"] as const)("weights of %s", (dtype) => {
  it.each(["plain", "packed"] as const)("pass their self-test in wasm, %s", async (variant) => {
    const packed = variant === "packed";
    const parts = await networkParts(manifest, dtype, NETWORK_GRAPHS, read, { packed });
    const names = parts.weights.map(({ path }) => path);
    expect(names.some((name) => name.startsWith("packed-"))).toBe(packed);
    const selfTest = new SelfTest(await read(manifest.dtypes[dtype]?.selfTest ?? ""));
    const checked: string[] = [];
    const onCheck = (graph: string) => checked.push(graph);
    const network = await openNetwork(manifest, parts, await startWasm(), { variant, selfTest, onCheck });
    expect(checked).toEqual([...NETWORK_GRAPHS]);
    await network.dispose();
  });

  it("take less memory where they stay packed", async () => {
    const bytes = async (packed: boolean) => {
      const { weights } = await networkParts(manifest, dtype, NETWORK_GRAPHS, read, { packed });
      return weights.reduce((sum, { data }) => sum + data.length, 0);
    };
    // Most of this tiny model is in kernels that are not quantised.
    expect((await bytes(true)) / (await bytes(false))).toBeLessThan(0.8);
  });
});
