import * as z from "zod/mini";
import { SETTING_CHOICES } from "../flow/settings";
import { limited } from "./settingsSchema";

/** A way to sample that the model's maker found worth choosing; what it does not set is the defaults'. */
export const presetSchema = z.object({
  name: z.string().check(z.trim(), z.minLength(1)),
  note: z.string().check(z.trim(), z.minLength(1)),
  settings: z.object({
    steps: z.exactOptional(limited("steps")),
    method: z.exactOptional(z.enum(SETTING_CHOICES.method)),
    gamma: z.exactOptional(limited("gamma")),
    selfCondScale: z.exactOptional(limited("selfCondScale")),
    cfgScale: z.exactOptional(limited("cfgScale")),
    schedule: z.exactOptional(z.enum(SETTING_CHOICES.schedule)),
    solver: z.exactOptional(z.enum(SETTING_CHOICES.solver)),
  }),
});
