import type { SamplerSettings } from "../../src/flow/settings";

/** A short run of the tiny model, for tests on a GPU in software: five steps over all of its length. */
export const TINY_SETTINGS: SamplerSettings = {
  steps: 5,
  method: "sde",
  gamma: 1,
  selfCondScale: 2,
  cfgScale: 1,
  schedule: "uniform",
  solver: "euler",
  rng: "original",
  seed: 7,
  length: 16,
};
