import { describe, expect, it } from "vitest";
import { SettingsError } from "./errors";
import { checkSettings, type SamplerSettings } from "./settings";

const good: SamplerSettings = {
  steps: 32,
  method: "sde",
  gamma: 1.5,
  selfCondScale: 3,
  schedule: "logit_normal",
  rng: "original",
  seed: 7,
  length: 64,
};

describe("checkSettings", () => {
  it("accepts the limits themselves", () => {
    checkSettings(good, 64);
    checkSettings({ ...good, steps: 1, gamma: 0, selfCondScale: 0.5, seed: 0, length: 1 }, 64);
    checkSettings({ ...good, steps: 1024, gamma: 8, selfCondScale: 8, seed: 2 ** 32 - 1 }, 64);
  });

  it.each([
    ["steps", 0],
    ["steps", 1025],
    ["steps", 2.5],
    ["gamma", -0.1],
    ["gamma", Number.NaN],
    ["selfCondScale", 0],
    ["selfCondScale", Number.POSITIVE_INFINITY],
    ["seed", -1],
    ["seed", 2 ** 32],
    ["length", 0],
    ["length", 65],
    ["method", "euler"],
    ["schedule", "cosine"],
    ["rng", "mersenne"],
    ["steps", "32"],
  ])("refuses %s = %s, naming it", (name, value) => {
    const settings = { ...good, [name]: value } as SamplerSettings;
    expect(() => checkSettings(settings, 64)).toThrow(SettingsError);
    expect(() => checkSettings(settings, 64)).toThrow(`${name} is ${value}`);
  });
});
