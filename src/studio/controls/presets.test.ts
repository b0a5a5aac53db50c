import { expect, it } from "vitest";
import { checkSettings } from "../../flow/settings";
import { SETTINGS } from "../testing/runs";
import { isPreset, presetsFor } from "./presets";

const official = { ...SETTINGS, steps: 32 };

it("are settings that a run can use", () => {
  for (const { settings } of presetsFor(official, false)) checkSettings({ ...SETTINGS, ...settings }, SETTINGS.length);
});

it("begin with the model's own only where it differs from the paper's", () => {
  expect(presetsFor(official, false).map(({ id }) => id)).toEqual(["official", "quick", "ode", "over-guided"]);
  const [own] = presetsFor({ ...official, selfCondScale: 1.5 }, false);
  expect(own).toMatchObject({ id: "own", settings: { steps: 32, selfCondScale: 1.5 } });
});

it("are recognised whatever γ an ODE has beside it", () => {
  const ode = presetsFor(official, false).find(({ id }) => id === "ode");
  expect(ode && isPreset(ode, { ...official, ...ode.settings, gamma: 1.5 })).toBe(true);
  expect(ode && isPreset(ode, official)).toBe(false);
});

it("of a model that writes to prompts are others, which guide towards it", () => {
  const prompted = { ...official, steps: 64, method: "ode", selfCondScale: 1, cfgScale: 2 } as const;
  const presets = presetsFor(prompted, true);
  expect(presets.map(({ id }) => id)).toEqual(["official", "quick", "unguided", "over-guided"]);
  for (const { settings } of presets) checkSettings({ ...SETTINGS, ...settings }, SETTINGS.length, true);
  expect(presetsFor({ ...prompted, steps: 16 }, true)[0]).toMatchObject({
    id: "own",
    settings: { steps: 16, cfgScale: 2 },
  });
});
