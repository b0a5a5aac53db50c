import { beforeEach, describe, expect, it } from "vitest";
import { checkSettings, type SamplerSettings } from "../../../flow/settings";
import { SETTINGS } from "../../testing/runs";
import { MapStorage } from "../../testing/studio";
import { isPreset, presetsFor } from "./presets";
import { createSettings } from "./settings";

let storage = new MapStorage();
let seeds = 0;
const make = () => createSettings(storage, "test", () => ++seeds);

beforeEach(() => {
  storage = new MapStorage();
  seeds = 0;
});

describe("entering numbers", () => {
  it.each([
    ["steps", "16", 16],
    ["gamma", "0.5", 0.5],
    ["selfCondScale", "1e0", 1],
    ["seed", "4294967295", 4294967295],
  ] as const)("takes %s = %s", (name, typed, value) => {
    const settings = make();
    settings.getState().enter(name, typed);
    expect(settings.getState().values[name]).toBe(value);
    expect(settings.getState().refusals).toEqual({});
  });

  it.each([
    ["steps", "0"],
    ["steps", "2.5"],
    ["steps", "many"],
    ["steps", ""],
    ["gamma", "-1"],
    ["gamma", "NaN"],
    ["selfCondScale", "Infinity"],
    ["seed", "4294967296"],
    ["length", "65"],
  ] as const)("refuses %s = “%s” and keeps the old value", (name, typed) => {
    const settings = make();
    const before = settings.getState().values;
    settings.getState().enter(name, typed);
    expect(settings.getState().values).toEqual(before);
    expect(settings.getState().refusals[name]).toEqual({ typed });
  });

  it("forgives once it is put right", () => {
    const settings = make();
    settings.getState().enter("steps", "0");
    settings.getState().enter("steps", "8");
    expect(settings.getState().refusals).toEqual({});
  });
});

describe("seeds", () => {
  it("are drawn anew for a second run, and kept when locked", () => {
    const settings = make();
    const first = settings.getState().take().seed;
    const second = settings.getState().take().seed;
    expect(second).not.toBe(first);
    settings.getState().lockSeed(true);
    expect(settings.getState().take().seed).toBe(second);
  });

  it("that were typed or drawn by hand are used as they stand", () => {
    const settings = make();
    settings.getState().take();
    settings.getState().enter("seed", "77");
    expect(settings.getState().take().seed).toBe(77);
    settings.getState().drawSeed();
    const drawn = settings.getState().values.seed;
    expect(settings.getState().take().seed).toBe(drawn);
  });
});

describe("the model's defaults", () => {
  const defaults = { ...SETTINGS, steps: 20, length: 12, seed: 5 };

  it("are taken where nothing was chosen, except the seed", () => {
    const settings = make();
    const { seed } = settings.getState().values;
    settings.getState().learn(defaults, 16);
    expect(settings.getState().values).toEqual({ ...defaults, seed });
  });

  it("leave a person's choices alone, as far as the model allows them", () => {
    const settings = make();
    settings.getState().enter("steps", "9");
    settings.getState().enter("length", "60");
    settings.getState().learn(defaults, 16);
    expect(settings.getState().values).toMatchObject({ steps: 9, length: 16 });
    settings.getState().enter("length", "17");
    expect(settings.getState().refusals).toHaveProperty("length");
  });

  it("are taken for all that the person has not chosen, however early", () => {
    const settings = make();
    const { seed } = settings.getState().values;
    settings.getState().enter("steps", "9");
    settings.getState().learn({ ...defaults, gamma: 0.5, length: 10 }, 16);
    expect(settings.getState().values, "a recording's").toEqual({
      ...defaults,
      gamma: 0.5,
      length: 10,
      seed,
      steps: 9,
    });
    settings.getState().learn(defaults, 16);
    expect(settings.getState().values).toEqual({ ...defaults, seed, steps: 9 });
    settings.getState().enter("gamma", "2.25");
    settings.getState().learn({ ...defaults, gammaCurve: [[0, 1]], method: "sde" }, 16);
    expect(settings.getState().values).toEqual({ ...defaults, method: "sde", seed, steps: 9, gamma: 2.25 });
  });

  it("leave alone what was adopted from a run, and what an earlier visit chose", () => {
    const adopted = { ...SETTINGS, steps: 31, gamma: 0.75, length: 14 };
    const settings = make();
    settings.getState().adopt(adopted);
    settings.getState().learn(defaults, 16);
    expect(settings.getState().values).toEqual(adopted);
    const again = make();
    again.getState().learn(defaults, 16);
    expect(again.getState().values).toEqual(adopted);
  });

  it("are back where a choice is taken back", () => {
    const settings = make();
    const { values, chosen, seedLocked } = settings.getState();
    settings.getState().enter("steps", "9");
    settings.getState().restore({ values, chosen, seedLocked });
    settings.getState().learn(defaults, 16);
    expect(settings.getState().values).toEqual({ ...defaults, seed: values.seed });
  });

  it("leave alone a choice that was taken back and made again", () => {
    const settings = make();
    settings.getState().learn(defaults, 16);
    const before = settings.getState();
    settings.getState().enter("steps", "9");
    const after = settings.getState();
    settings.getState().restore(before);
    settings.getState().restore(after);
    settings.getState().learn(defaults, 16);
    expect(settings.getState().values).toEqual({ ...defaults, seed: before.values.seed, steps: 9 });
  });

  it("give way to a preset, which keeps seed and length", () => {
    const settings = make();
    settings.getState().learn(defaults, 16);
    settings.getState().enter("steps", "0");
    const { seed, length } = settings.getState().values;
    settings.getState().apply({ steps: 64, method: "ode", seed: 1, length: 1 });
    expect(settings.getState().values).toMatchObject({ steps: 64, method: "ode", seed, length });
    expect(settings.getState().refusals).toEqual({});
  });
});

describe("method and solver", () => {
  const defaults: SamplerSettings = { ...SETTINGS, method: "ode", solver: "multistep" };

  it("go together: the SDE has Euler's steps, and the ODE those of the model's maker", () => {
    const settings = make();
    settings.getState().learn(defaults, 16);
    expect(settings.getState().values).toMatchObject({ method: "ode", solver: "multistep" });
    settings.getState().set({ method: "sde" });
    checkSettings(settings.getState().values, 16);
    expect(settings.getState().values.solver).toBe("euler");
    settings.getState().set({ method: "ode" });
    expect(settings.getState().values.solver).toBe("multistep");
  });

  it("go together in presets, too", () => {
    const settings = make();
    settings.getState().learn(defaults, 16);
    for (const preset of presetsFor(defaults, false)) {
      settings.getState().apply(preset.settings);
      checkSettings(settings.getState().values, 16);
      expect(isPreset(preset, settings.getState().values, false)).toBe(true);
    }
  });

  it("kept from an earlier visit are mended", () => {
    const values = { ...SETTINGS, method: "sde", solver: "multistep" };
    storage.setItem("elf.settings.test", JSON.stringify({ values, chosen: true, seedLocked: false }));
    checkSettings(make().getState().values, 16);
  });
});

it("adopts a run's settings whole, seed included, for the next run", () => {
  const settings = make();
  settings.getState().learn(SETTINGS, 16);
  settings.getState().take();
  settings.getState().enter("steps", "0");
  settings.getState().adopt({ ...SETTINGS, steps: 5, seed: 99, length: 20 });
  expect(settings.getState().refusals).toEqual({});
  expect(settings.getState().take()).toEqual({ ...SETTINGS, steps: 5, seed: 99, length: 16 });
});

describe("across turns to other models", () => {
  const full = new MapStorage();
  full.setItem = () => {
    throw new Error("QuotaExceededError");
  };

  it.each([
    ["none", null],
    ["a full one", full],
  ])("a choice and a locked seed last, whatever the storage: %s", (_, nowhere) => {
    const settings = createSettings(nowhere, "test", () => ++seeds);
    settings.getState().learn(SETTINGS, 16);
    settings.getState().enter("steps", "9");
    settings.getState().enter("seed", "77");
    settings.getState().lockSeed(true);
    const asLeft = { values: { ...SETTINGS, steps: 9, seed: 77 }, chosen: true, seedLocked: true };
    settings.getState().turnTo("test", SETTINGS, 16);
    expect(settings.getState(), "the same, loaded again").toMatchObject(asLeft);
    settings.getState().turnTo("other", { ...SETTINGS, steps: 20 }, 16);
    expect(settings.getState()).toMatchObject({ values: { steps: 20 }, chosen: false, seedLocked: false });
    settings.getState().enter("gamma", "2");
    settings.getState().turnTo("test", SETTINGS, 16);
    expect(settings.getState()).toMatchObject(asLeft);
    settings.getState().turnTo("other", { ...SETTINGS, steps: 20 }, 16);
    expect(settings.getState().values.gamma).toBe(2);
  });

  it("what another tab has chosen for this model meanwhile stays kept, until something is chosen here", () => {
    const here = make();
    here.getState().learn(SETTINGS, 16);
    here.getState().enter("steps", "9");
    here.getState().turnTo("other", SETTINGS, 16);
    make().getState().enter("steps", "11");
    here.getState().turnTo("test", SETTINGS, 16);
    expect(here.getState().values.steps, "as it was left here").toBe(9);
    expect(make().getState().values.steps).toBe(11);
    here.getState().enter("gamma", "2");
    expect(make().getState().values).toMatchObject({ steps: 9, gamma: 2 });
  });
});

describe("across visits", () => {
  it("settings survive", () => {
    const first = make();
    first.getState().enter("gamma", "2");
    first.getState().lockSeed(true);
    expect(make().getState()).toMatchObject({ values: { gamma: 2 }, seedLocked: true });
  });

  it("a kept choice counts as chosen", () => {
    make().getState().enter("steps", "9");
    const second = make();
    second.getState().learn({ ...SETTINGS, steps: 20 }, 64);
    expect(second.getState().values.steps).toBe(9);
  });

  it("defaults that were only taken over do not count as chosen", () => {
    make()
      .getState()
      .learn({ ...SETTINGS, steps: 20 }, 64);
    const second = make();
    second.getState().learn({ ...SETTINGS, steps: 24 }, 64);
    expect(second.getState().values.steps).toBe(24);
  });

  it("each model has its own", () => {
    make().getState().enter("steps", "9");
    expect(createSettings(storage, "other").getState().values.steps).toBe(32);
  });

  it.each([
    "{",
    "null",
    '{"values":{"steps":0},"chosen":true,"seedLocked":false}',
    '{"values":{}}',
  ])("nonsense (%s) is passed over", (text) => {
    storage.setItem("elf.settings.test", text);
    expect(make().getState().values.steps).toBe(32);
  });

  it("works without any storage", () => {
    const settings = createSettings(null, "test", () => 1);
    settings.getState().enter("steps", "9");
    expect(settings.getState().values.steps).toBe(9);
  });

  it("works with a storage that is full", () => {
    storage.setItem = () => {
      throw new Error("QuotaExceededError");
    };
    const settings = make();
    settings.getState().enter("steps", "9");
    expect(settings.getState().values.steps).toBe(9);
  });
});
