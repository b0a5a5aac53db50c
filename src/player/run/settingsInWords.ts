import type { Recipe } from "../../flow/recipe";
import type { SamplerSettings } from "../../flow/settings";
import { ENGLISH, type Words } from "../words";

/** A run's settings in one short line, like "32 steps SDE γ 1.5 · w 3 · seed 7". */
export function describeSettings(
  { settings, towards, back }: Pick<Recipe, "settings" | "towards" | "back">,
  { run }: Pick<Words, "run"> = ENGLISH,
): string {
  const { steps, method, gamma, gammaCurve, selfCondScale, cfgScale, seed, schedule } = settings;
  const sampler = `${run.steps(steps)} ${method.toUpperCase()}`;
  return [
    method === "sde" ? `${sampler} γ ${gammaCurve ? knotsInWords(gammaCurve, run) : run.number(gamma)}` : sampler,
    ...(cfgScale === 1 ? [] : [`ω ${run.number(cfgScale)}`]),
    `w ${run.number(selfCondScale)}`,
    ...(schedule === "logit_normal" ? [] : [schedule]),
    ...(back ? [run.back] : []),
    towards ? run.between(Number((100 * towards.weight).toFixed(1)), seed, towards.seed) : run.seed(seed),
  ].join(" · ");
}

/** A curve by the γ of its knots. */
export function knotsInWords(curve: NonNullable<SamplerSettings["gammaCurve"]>, { number }: Words["run"]): string {
  return curve.map(([, gamma]) => number(gamma)).join("→");
}
