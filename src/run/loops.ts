/** The two ways to follow the flow, as one: in plain arrays, or on the GPU, where nothing comes back unasked. */
import { fork } from "../flow/fork";
import { type FlowOptions, type FlowState, flow } from "../flow/sampler";
import type { SamplerSettings } from "../flow/settings";
import { type Frame, readFrame } from "../flow/trajectory";
import { flowConstants } from "../format/manifest";
import { followGpuFlow, gpuFlow } from "../runtime/gpu/loop";
import type { Model } from "../runtime/load";

/** A run of one sample after one of its steps. It can be looked at until the next is asked for. */
export interface LoopState {
  /** By the schedule of its settings. */
  readonly step: number;
  read(): Promise<Frame>;
  download(): Promise<FlowState>;
}

export interface Loop {
  /** Whether `download` costs nothing, so that states may as well be kept. */
  readonly statesAreHere: boolean;
  /** The states after `from`; from noise the start and all after it. Throws as `flow` and `gpuFlow` do. */
  follow(from: FlowState | undefined, settings: SamplerSettings, options: FlowOptions): AsyncGenerator<LoopState, void>;
}

/** The loop of a model: on the GPU where the model runs on one. */
export function loopOf({ network, gpu, manifest }: Model): Loop {
  const constants = flowConstants(manifest);
  if (gpu) {
    return {
      statesAreHere: false,
      async *follow(from, settings, options) {
        const states = from
          ? followGpuFlow(gpu, from, from.step, settings, constants, options)
          : gpuFlow(gpu, settings, constants, options);
        for await (const state of states) {
          yield {
            step: state.step,
            read: async () => (await state.read())[0] as Frame,
            download: () => state.download(),
          };
        }
      },
    };
  }
  return {
    statesAreHere: true,
    async *follow(from, settings, options) {
      const states = from
        ? fork(network, from, settings, constants, options)
        : flow(network, settings, constants, options);
      for await (const state of states) {
        if (from && state.step === from.step) continue;
        yield {
          step: state.step,
          read: () => readFrame(network, state, settings.selfCondScale),
          download: async () => state,
        };
      }
    },
  };
}
