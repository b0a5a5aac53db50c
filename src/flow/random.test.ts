import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { batchKeys, runKeys } from "./keys";
import { foldIn, type Key, keyOf, normal, randomBits, split } from "./random";

interface LayoutFixture {
  keys: { seed: number; key: Key; split1: number[]; split2: number[]; split5: number[]; foldIn: [number, Key][] }[];
  draws: { key: Key; size: number; bits: number[]; normal: number[] }[];
  latent: Latent;
  latents: Latent[];
  batches: { seed: number; config: number; batch: number; devices: number; noise: number[]; times: number[] }[];
}

interface Latent {
  key: Key;
  shape: number[];
  normal: number[];
}

/** Written by `export/tests/fixtures/make_random_numbers.py`, with JAX itself. */
const fixture = JSON.parse(readFileSync("test/fixtures/random.json", "utf8")) as Record<
  "original" | "partitionable",
  LayoutFixture
>;

describe.each(["original", "partitionable"] as const)("random numbers, %s layout", (layout) => {
  const { keys, draws, latent, latents, batches } = fixture[layout];

  it.each(keys)("derives JAX's keys from seed $seed", (expected) => {
    const key = keyOf(expected.seed);
    expect(key).toEqual(expected.key);
    expect(split(key, 1, layout).flat()).toEqual(expected.split1);
    expect(split(key, 2, layout).flat()).toEqual(expected.split2);
    expect(split(key, 5, layout).flat()).toEqual(expected.split5);
    for (const [data, folded] of expected.foldIn) expect(foldIn(key, data)).toEqual(folded);
  });

  it("draws JAX's bits exactly", () => {
    for (const { key, size, bits } of draws) expect(Array.from(randomBits(key, size, layout))).toEqual(bits);
  });

  it("draws JAX's normals, nearly all to the bit and the rest to three units in the last place", () => {
    const distances = draws.flatMap(({ key, size, normal: expected }) =>
      ulpDistances(normal(key, size, layout), expected),
    );
    expect(Math.max(...distances)).toBeLessThanOrEqual(3);
    expect(distances.filter((distance) => distance === 0).length / distances.length).toBeGreaterThan(0.98);
  });

  it.each([latent, ...latents])("draws a latent of shape $shape as one flat, row-major array", (drawn) => {
    const count = drawn.shape.reduce((product, side) => product * side, 1);
    expect(Math.max(...ulpDistances(normal(drawn.key, count, layout), drawn.normal))).toBeLessThanOrEqual(3);
  });

  it.each(
    batches,
  )("derives the official keys of $devices devices, seed $seed, config $config, batch $batch", (expected) => {
    const keys = batchKeys(expected.seed, layout, expected);
    expect(keys.flatMap(({ noise }) => noise)).toEqual(expected.noise);
    expect(keys.flatMap(({ times }) => times)).toEqual(expected.times);
    if (expected.config + expected.batch === 0 && expected.devices === 1) {
      expect(runKeys(expected.seed, layout)).toEqual(keys[0]);
    }
  });
});

describe("normals", () => {
  it("are finite, with mean 0 and variance 1", () => {
    const values = normal(keyOf(5), 100_000, "original");
    const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
    const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
    expect(values.every(Number.isFinite)).toBe(true);
    expect(Math.abs(mean)).toBeLessThan(0.01);
    expect(Math.abs(variance - 1)).toBeLessThan(0.02);
  });
});

/** Distances in representable floats, counted across zero. */
function ulpDistances(actual: Float32Array, expectedWords: readonly number[]): number[] {
  expect(actual.length).toBe(expectedWords.length);
  const actualWords = new Uint32Array(actual.buffer);
  return expectedWords.map((word, i) => Math.abs(ordered(word) - ordered(actualWords[i] ?? 0)));
}

function ordered(word: number): number {
  return word & 0x80000000 ? -(word & 0x7fffffff) : word;
}
