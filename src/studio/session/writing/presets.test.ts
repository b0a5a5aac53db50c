import { describe, expect, it } from "vitest";
import { checkSettings } from "../../../flow/settings";
import { SETTINGS } from "../../testing/runs";
import { isPreset, type Preset, presetsFor } from "./presets";

const official = { ...SETTINGS, steps: 32 };

it("are settings that a run can use", () => {
  for (const { settings } of presetsFor(official, false)) checkSettings({ ...SETTINGS, ...settings }, SETTINGS.length);
});

it("begin with the model's own only where it differs from the paper's", () => {
  expect(presetsFor(official, false).map(({ id }) => id)).toEqual(["official", "draft", "ode", "over-guided"]);
  const [own] = presetsFor({ ...official, selfCondScale: 1.5 }, false);
  expect(own).toMatchObject({ id: "own", settings: { steps: 32, selfCondScale: 1.5 } });
});

it("offer a quick draft only of what takes more steps by itself", () => {
  const ids = (steps: number, prompted: boolean) =>
    presetsFor({ ...official, steps, selfCondScale: 1.5 }, prompted).map(({ id }) => id);
  expect(ids(9, false)).toContain("draft");
  expect(ids(8, false)).toEqual(["own", "official", "ode", "over-guided"]);
  expect(ids(4, true)).toEqual(["own", "official", "unguided", "over-guided"]);
  // Where it is the model's own it keeps its name.
  expect(presetsFor({ ...official, steps: 8 }, false)[0]).toMatchObject({ id: "draft", settings: { steps: 8 } });
});

it("are recognised whatever γ an ODE has beside it", () => {
  const ode = presetsFor(official, false).find(({ id }) => id === "ode");
  expect(ode && isPreset(ode, { ...official, ...ode.settings, gamma: 1.5 }, false)).toBe(true);
  expect(ode && isPreset(ode, official, false)).toBe(false);
});

it("of a model that writes to prompts are others, which guide towards it", () => {
  const prompted = { ...official, steps: 64, method: "ode", selfCondScale: 1, cfgScale: 2 } as const;
  const presets = presetsFor(prompted, true);
  expect(presets.map(({ id }) => id)).toEqual(["official", "draft", "unguided", "over-guided"]);
  for (const { settings } of presets) checkSettings({ ...SETTINGS, ...settings }, SETTINGS.length, true);
  expect(presetsFor({ ...prompted, steps: 16 }, true)[0]).toMatchObject({
    id: "own",
    settings: { steps: 16, cfgScale: 2 },
  });
});

describe("of the model's maker", () => {
  const defaults = { ...official, gamma: 0.5 };
  const note = "Note";
  const labels = (presets: readonly Preset[]) => presets.map(({ label }) => label);

  it("come after the defaults and before the paper's, and say only what differs", () => {
    const presets = presetsFor(defaults, false, [
      { name: "Careful", note, settings: { steps: 64 } },
      { name: "Drafts", note, settings: { steps: 4, method: "ode", schedule: "quantile", solver: "multistep" } },
    ]);
    expect(labels(presets)).toEqual([
      "This model's own",
      "Careful",
      "Drafts",
      "Official, 32 steps",
      "Draft, 8",
      "Pure ODE, 64",
      "Over-guided",
    ]);
    expect(presets[1]).toMatchObject({ note, settings: { steps: 64, method: "sde", gamma: 0.5, selfCondScale: 3 } });
    expect(presets[2]?.settings).toMatchObject({ steps: 4, method: "ode", schedule: "quantile", solver: "multistep" });
    for (const { settings } of presets) checkSettings({ ...SETTINGS, ...settings }, SETTINGS.length);
  });

  it("stand for the defaults and for the paper's where they come to the same", () => {
    const presets = presetsFor(defaults, false, [
      { name: "Careful", note, settings: { steps: 64 } },
      { name: "Balanced", note, settings: {} },
      { name: "As published", note, settings: { gamma: 1.5 } },
      { name: "Smooth", note, settings: { method: "ode", steps: 64, gamma: 7 } },
      { name: "Smooth again", note, settings: { method: "ode", steps: 64 } },
    ]);
    expect(labels(presets)).toEqual(["Balanced", "Careful", "As published", "Smooth", "Draft, 8", "Over-guided"]);
  });

  it("are one while nothing but an idle ω tells them apart", () => {
    const guided = { ...defaults, cfgScale: 2 };
    const offered = [
      { name: "Unguided", note, settings: { cfgScale: 1 } },
      { name: "Careful", note, settings: { steps: 64 } },
      { name: "Faithful", note, settings: { steps: 64, cfgScale: 4 } },
    ];
    const [own, unguided, careful, faithful] = presetsFor(guided, true, offered);
    expect([own, unguided, careful, faithful].map((preset) => preset?.settings.cfgScale)).toEqual([2, 1, 2, 4]);
    expect(own && isPreset(own, { ...guided, cfgScale: 1 }, true)).toBe(false);

    const free = presetsFor(guided, false, offered);
    expect(labels(free).slice(0, 3)).toEqual(["This model's own", "Careful", "Official, 32 steps"]);
    expect(free.filter((preset) => isPreset(preset, { ...guided, cfgScale: 1 }, false))).toEqual([free[0]]);
  });
});
