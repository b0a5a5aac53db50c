/**
 * One prediction of the clean embeddings x̂, guided (spec section 3). CFG pushes it away from what the network would say
 * without the prompt, self-conditioning guidance away from what it would say without its last prediction. At one z the
 * velocity is linear in x̂, so guiding x̂ guides both. All passes of a prediction run as one batch.
 */
import { type Condition, hide, hold, noPrediction, type SelfCondStart } from "./condition";
import type { Network } from "./network";
import { joined, rowOf } from "./rows";
import type { SamplerSettings } from "./settings";

/** Predicts x̂ at time t, from z and the last x̂; all (B, L, D). All three hold the condition, but for an x̂ that is none yet. */
export type Predict = (z: Float32Array, previous: Float32Array, t: number) => Promise<Float32Array>;

/** The predictor of a run of `batch` rows, of a model whose x̂ starts as `start` says. */
export function guidedPredictor(
  network: Network,
  { cfgScale, selfCondScale }: Pick<SamplerSettings, "cfgScale" | "selfCondScale">,
  batch: number,
  condition: Condition | undefined,
  start: SelfCondStart,
): Predict {
  const prompted = condition !== undefined && cfgScale !== 1;
  const twoPass = !network.takesSelfCondScale && selfCondScale !== 1;

  return async (z, previous, t) => {
    const views: View[] = [{ z, previous }];
    if (prompted) views.push({ z: hide(z, condition), previous: hide(previous, condition) });
    const nothing = noPrediction(z.length, condition, start);
    // The view without the prompt has none in its last prediction either, were it only nothing.
    const unaware = views.map((view, i) => ({ z: view.z, previous: i === 0 ? nothing : hide(nothing, condition) }));

    const passes = twoPass ? [...views, ...unaware] : views;
    const answers = await denoiseAll(network, passes, batch, t, selfCondScale);
    const [told, untold] = twoPass
      ? views.map((_, i) => guide(answers[views.length + i] as Float32Array, answers[i] as Float32Array, selfCondScale))
      : answers;
    return hold(untold ? guide(untold, told as Float32Array, cfgScale) : (told as Float32Array), condition);
  };
}

const f32 = Math.fround;

/** without + scale · (with − without), number by number: 1 gives the pass with what it is guided by, more goes beyond. */
export function guide(without: Float32Array, withIt: Float32Array, scale: number): Float32Array {
  const factor = f32(scale);
  return without.map((value, i) => f32(value + f32(factor * f32((withIt[i] as number) - value))));
}

/** What one pass of the network is shown. */
interface View {
  readonly z: Float32Array;
  readonly previous: Float32Array;
}

/** The answers to several views of one state. */
async function denoiseAll(
  network: Network,
  views: readonly View[],
  batch: number,
  t: number,
  selfCondScale: number,
): Promise<Float32Array[]> {
  if (views.length === 1) return [await network.denoise({ ...(views[0] as View), batch, t, selfCondScale })];
  const answer = await network.denoise({
    z: joined(views.map(({ z }) => z)),
    previous: joined(views.map(({ previous }) => previous)),
    batch: batch * views.length,
    t,
    selfCondScale,
  });
  return views.map((_, i) => rowOf(answer, i, views.length));
}
