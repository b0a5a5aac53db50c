import type { Network } from "./network";
import type { FlowState } from "./sampler";
import { type Frame, type ReadingName, readFrame } from "./trajectory";

/**
 * Reads one state as tokens in two decoder passes, what is looked at first: where the network takes twice as long for two
 * latents as for one, it is there in half the time. Noise has but one reading.
 */
export async function* readByHalves(
  network: Network,
  state: FlowState,
  selfCondScale: number,
  first: ReadingName,
): AsyncGenerator<Frame, void> {
  const { step, t } = state;
  if (step === 0) return yield await readFrame(network, state, selfCondScale);
  const read = async (name: ReadingName) => {
    const [reading] = await network.decode([name === "holds" ? state.z : state.prediction], selfCondScale);
    if (!reading) throw new Error("The network read no latent.");
    return reading;
  };
  const second = first === "holds" ? "expects" : "holds";
  const looked = await read(first);
  yield { step, t, holds: looked, expects: looked, awaits: second };
  const other = await read(second);
  yield { step, t, holds: first === "holds" ? looked : other, expects: first === "holds" ? other : looked };
}
