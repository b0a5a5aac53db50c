import { z } from "zod";
import { SETTING_CHOICES, SETTING_LIMITS } from "../flow/settings";

/** The sampler settings as JSON; `length` is bounded by the model, not here. */
export const settingsSchema = z.object({
  steps: limited("steps"),
  method: z.enum(SETTING_CHOICES.method),
  gamma: limited("gamma"),
  selfCondScale: limited("selfCondScale"),
  // Absent from what older versions wrote, which knew neither.
  cfgScale: limited("cfgScale").default(1),
  schedule: z.enum(SETTING_CHOICES.schedule),
  solver: z.enum(SETTING_CHOICES.solver).default("euler"),
  rng: z.enum(SETTING_CHOICES.rng),
  seed: limited("seed"),
  length: z.int().positive(),
});

/** A way to sample that the model's maker found worth choosing; what it does not set is the defaults'. */
export const presetSchema = z.object({
  name: z.string().trim().min(1),
  note: z.string().trim().min(1),
  settings: z.object({
    steps: limited("steps").exactOptional(),
    method: z.enum(SETTING_CHOICES.method).exactOptional(),
    gamma: limited("gamma").exactOptional(),
    selfCondScale: limited("selfCondScale").exactOptional(),
    cfgScale: limited("cfgScale").exactOptional(),
    schedule: z.enum(SETTING_CHOICES.schedule).exactOptional(),
    solver: z.enum(SETTING_CHOICES.solver).exactOptional(),
  }),
});

function limited(name: keyof typeof SETTING_LIMITS) {
  const { least, greatest, integer } = SETTING_LIMITS[name];
  return (integer ? z.int() : z.number()).min(least).max(greatest);
}
