import type { Model } from "../runtime/load";

/** How often the network was asked. */
export interface Passes {
  /** Passes of the denoiser, in samples. */
  denoise: number;
  /** Calls of the decoder; each may read several latents. */
  decode: number;
}

/** The same model, which counts what its network does from now on. Passes of the loop on a GPU are not seen. */
export function countPasses(model: Model): { readonly model: Model; readonly passes: Passes } {
  const { network } = model;
  const passes: Passes = { denoise: 0, decode: 0 };
  const counted: Model["network"] = {
    latentSize: network.latentSize,
    takesSelfCondScale: network.takesSelfCondScale,
    prepare: async (times, selfCondScale) => network.prepare?.(times, selfCondScale),
    denoise: (input) => {
      passes.denoise += input.batch;
      return network.denoise(input);
    },
    decode: (latents, selfCondScale) => {
      passes.decode++;
      return network.decode(latents, selfCondScale);
    },
    encode: (sources) => network.encode(sources),
    dispose: () => network.dispose(),
  };
  return { model: { ...model, network: counted }, passes };
}
