import { describe, expect, it } from "vitest";
import { SettingsError } from "./errors";
import { checkSettings, type SamplerSettings } from "./settings";
import { RUN_SETTINGS } from "./testing/settings";

const good: SamplerSettings = { ...RUN_SETTINGS, steps: 32, length: 64 };

describe("checkSettings", () => {
  it("accepts the limits themselves", () => {
    checkSettings(good, 64);
    checkSettings({ ...good, steps: 1, gamma: 0, selfCondScale: 0.5, seed: 0, length: 1 }, 64);
    checkSettings({ ...good, cfgScale: 0 }, 64, true);
    checkSettings({ ...good, cfgScale: 20 }, 64, true);
    checkSettings({ ...good, method: "ode", solver: "multistep", schedule: "quantile" }, 64);
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
    ["cfgScale", -1],
    ["cfgScale", 21],
    ["solver", "rk4"],
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

  it("refuses guidance without a prompt, and a solver with the SDE", () => {
    expect(() => checkSettings({ ...good, cfgScale: 2 }, 64)).toThrow("cfgScale is 2, but there is no prompt");
    expect(() => checkSettings({ ...good, solver: "multistep" }, 64)).toThrow("solver is multistep");
  });
});
