import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { SettingsError } from "./errors";
import { runNoise } from "./noise";
import type { SamplerSettings } from "./settings";
import { RUN_SETTINGS } from "./testing/settings";
import { checkTowards, slerp, startNoise, type Towards } from "./towards";

const COUNT = 4096;
const own = { ...RUN_SETTINGS, seed: 7 };
const noiseOf = (seed: number) => runNoise({ ...own, seed }, 2, COUNT).start();
const lengthOf = (vector: Float32Array) => Math.hypot(...vector);

describe("the start between two seeds", () => {
  it("is the noise of either at its ends", () => {
    expect(startNoise(own, undefined, 2, COUNT)).toEqual(noiseOf(7));
    expect(startNoise(own, { seed: 8, weight: 0 }, 2, COUNT)).toEqual(noiseOf(7));
    expect(startNoise(own, { seed: 8, weight: 1 }, 2, COUNT)).toEqual(noiseOf(8));
  });

  it("is as strong between them, which the middle of a straight line is not", () => {
    const other = noiseOf(8);
    const straight = noiseOf(7).map((x, i) => (x + (other[i] as number)) / 2);
    expect(lengthOf(straight) / lengthOf(noiseOf(7))).toBeLessThan(0.8);
    for (const weight of [0.25, 0.5, 0.75]) {
      const start = startNoise(own, { seed: 8, weight }, 2, COUNT);
      const between = (1 - weight) * lengthOf(noiseOf(7)) + weight * lengthOf(noiseOf(8));
      expect(lengthOf(start) / between).toBeCloseTo(1, 2);
    }
  });
});

it("the start is Python's, for either layout of bits", () => {
  const { starts, flow } = JSON.parse(readFileSync("test/fixtures/flow.json", "utf8")) as {
    flow: { noiseScale: number };
    starts: { settings: Pick<SamplerSettings, "seed" | "rng">; towards: Towards; z: number[] }[];
  };
  expect(starts).toHaveLength(8);
  for (const { settings, towards, z } of starts) {
    const start = startNoise(settings, towards, flow.noiseScale, z.length);
    for (const [i, x] of z.entries()) expect(start[i]).toBeCloseTo(x, 5);
  }
});

describe("slerp", () => {
  it("turns by equal angles", () => {
    const [x, y] = [Float32Array.of(1, 0), Float32Array.of(0, 1)];
    const third = slerp(x, y, 1 / 3);
    expect(third[0]).toBeCloseTo(Math.cos(Math.PI / 6), 6);
    expect(third[1]).toBeCloseTo(Math.sin(Math.PI / 6), 6);
  });

  it("has nowhere to turn between two that are one", () => {
    const x = Float32Array.of(3, 4);
    expect(slerp(x, x, 0.5)).toEqual(x);
  });
});

it.each([
  { seed: -1, weight: 0.5 },
  { seed: 1.5, weight: 0.5 },
  { seed: 2 ** 32, weight: 0.5 },
  { seed: 8, weight: -0.1 },
  { seed: 8, weight: 1.1 },
  { seed: 8, weight: Number.NaN },
])("%o is refused", (towards) => expect(() => checkTowards(towards)).toThrow(SettingsError));
