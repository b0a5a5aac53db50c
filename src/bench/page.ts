/** The functions that `npm run bench` calls in its page, as `window.bench`. */
import { describeAdapter, findAdapter } from "../runtime/webgpu";
import {
  asPeer,
  countPasses,
  type GpuFigures,
  ofShownFrames,
  onWasm,
  onWebGpu,
  type Passes,
  type PeerFigures,
  type ShownFrames,
  type WasmFigures,
} from "./measure";
import { openModel } from "./models";

const functions = {
  async adapter(): Promise<string> {
    const adapter = await findAdapter();
    return adapter ? describeAdapter(adapter) : "none";
  },

  async onWebGpu(baseUrl: string, steps: number, repeats: number): Promise<GpuFigures> {
    const model = await openModel(baseUrl, "webgpu");
    const figures = await onWebGpu(model, steps, repeats);
    await model.network.dispose();
    return figures;
  },

  async onWasm(baseUrl: string, steps: number): Promise<WasmFigures> {
    const model = await openModel(baseUrl, "wasm");
    const figures = await onWasm(model, steps);
    await model.network.dispose();
    return figures;
  },

  async ofShownFrames(baseUrl: string, steps: number, repeats: number): Promise<ShownFrames> {
    const model = await openModel(baseUrl, "wasm");
    const figures = await ofShownFrames(model, steps, repeats);
    await model.network.dispose();
    return figures;
  },

  asPeer(baseUrl: string, settings: Parameters<typeof asPeer>[1], repeats: number): Promise<PeerFigures> {
    return asPeer(() => openModel(baseUrl, "wasm"), settings, repeats);
  },

  async countPasses(baseUrl: string, conditionalUrl: string, steps: number): Promise<Passes> {
    const models = [await openModel(baseUrl, "webgpu"), await openModel(conditionalUrl, "webgpu")] as const;
    const passes = await countPasses(...models, steps);
    for (const { network } of models) await network.dispose();
    return passes;
  },
};

declare global {
  interface Window {
    bench: typeof functions;
  }
}

window.bench = functions;
