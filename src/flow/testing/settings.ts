import type { SamplerSettings } from "../settings";

/** Settings for tests, which state only what they change. */
export const RUN_SETTINGS: SamplerSettings = {
  steps: 8,
  method: "sde",
  gamma: 1.5,
  selfCondScale: 3,
  cfgScale: 1,
  schedule: "logit_normal",
  solver: "euler",
  rng: "original",
  seed: 7,
  length: 5,
};
