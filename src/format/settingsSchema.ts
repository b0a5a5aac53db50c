import { en } from "zod/locales";
import * as z from "zod/mini";
import { isGammaCurve } from "../flow/gammaCurve";
import { MOST_POSITIONS, SETTING_CHOICES, SETTING_LIMITS } from "../flow/settings";
import { WEIGHT_LIMITS } from "../flow/towards";

// The small zod, since an element in other people's pages carries it along; it speaks no language by itself. And no code made
// from text: pages with a strict policy forbid that, and report each try.
z.config({ ...en(), jitless: true });

// What is read from a stranger must not have the page reserve room for more positions.
/** The sampler settings as JSON; `length` is bounded by the model, too. */
export const settingsSchema = z.object({
  steps: limited("steps"),
  method: z.enum(SETTING_CHOICES.method),
  gamma: limited("gamma"),
  gammaCurve: z.exactOptional(gammaCurveSchema()),
  selfCondScale: limited("selfCondScale"),
  // Absent from what older versions wrote, which knew neither.
  cfgScale: z._default(limited("cfgScale"), 1),
  schedule: z.enum(SETTING_CHOICES.schedule),
  solver: z._default(z.enum(SETTING_CHOICES.solver), "euler"),
  rng: z.enum(SETTING_CHOICES.rng),
  seed: limited("seed"),
  length: z.int().check(z.minimum(1), z.maximum(MOST_POSITIONS)),
});

/** The way towards the noise of another seed. */
export const towardsSchema = z.object({
  seed: limited("seed"),
  weight: z.number().check(z.minimum(WEIGHT_LIMITS.least), z.maximum(WEIGHT_LIMITS.greatest)),
});

/** γ over t; a function, for it is needed before it would be there. */
function gammaCurveSchema() {
  return z
    .readonly(z.array(z.readonly(z.tuple([z.number(), z.number()]))))
    .check(z.refine(isGammaCurve, "1 to 8 knots [t, γ] that ascend in t"));
}

/** One of the sampler's numbers. */
export function limited(name: keyof typeof SETTING_LIMITS) {
  const { least, greatest, integer } = SETTING_LIMITS[name];
  return (integer ? z.int() : z.number()).check(z.minimum(least), z.maximum(greatest));
}
