import { expect, it } from "vitest";
import type { SamplerSettings } from "../../flow/settings";
import { GERMAN } from "../german";
import { describeSettings } from "./settingsInWords";

const settings: SamplerSettings = {
  ...{ steps: 32, method: "sde", gamma: 1.5, cfgScale: 1.25, selfCondScale: 3 },
  ...{ schedule: "logit_normal", solver: "euler", rng: "original", seed: 1234567, length: 64 },
};

it("a run's settings stand in one line, with the numbers of its language", () => {
  expect(describeSettings({ settings })).toBe("32 steps SDE γ 1.5 · ω 1.25 · w 3 · seed 1234567");
  expect(describeSettings({ settings }, GERMAN)).toBe("32 Schritte SDE γ 1,5 · ω 1,25 · w 3 · Seed 1234567");
  const drawn = { ...settings, gammaCurve: [[0, 0.5] as const, [1, 2] as const] };
  expect(describeSettings({ settings: drawn, towards: { seed: 8, weight: 0.125 } }, GERMAN)).toBe(
    "32 Schritte SDE γ 0,5→2 · ω 1,25 · w 3 · 12,5 % von Seed 1234567 zu 8",
  );
});
