import { describe, expect, it } from "vitest";
import { principalBasis, project } from "./latentBasis";
import { normal } from "./random";

/** Spread 3 along (0.6, 0.8, 0), 1 along (−0.8, 0.6, 0), 0.1 along the third axis, around (5, 5, 5). */
function cloud(): Float32Array {
  const draws = normal([0, 1], 6000, "original");
  const latents = new Float32Array(6000);
  for (let row = 0; row < 6000; row += 3) {
    const [a, b, c] = [3 * (draws[row] as number), draws[row + 1] as number, 0.1 * (draws[row + 2] as number)];
    latents.set([5 + 0.6 * a - 0.8 * b, 5 + 0.8 * a + 0.6 * b, 5 + c], row);
  }
  return latents;
}

describe("a latent basis", () => {
  it("finds the directions in which latents spread, the widest first, turned so that their greatest number is above 0", () => {
    const { mean, directions } = principalBasis(cloud(), 3, 0.1);
    const [first, second] = directions;
    expect([0.6, 0.8, 0].reduce((sum, x, d) => sum + x * (first[d] as number), 0)).toBeCloseTo(1, 2);
    expect([0.8, -0.6, 0].reduce((sum, x, d) => sum + x * (second[d] as number), 0)).toBeCloseTo(1, 2);
    expect(Array.from(mean)).toEqual([expect.closeTo(5, 0), expect.closeTo(5, 0), expect.closeTo(5, 1)]);
  });

  it("reaches as far as the latents do, or the noise that they came from", () => {
    const latents = cloud();
    const { reach } = principalBasis(latents, 3, 0.1);
    const places = project(latents, principalBasis(latents, 3, 0.1));
    expect(Math.max(...places.map(Math.abs))).toBeCloseTo(1, 5);
    // Noise lies around the zero latent, which is 7 along the first direction from the mean.
    expect(principalBasis(latents, 3, 2).reach).toBeCloseTo(7 + 3.5 * 2, 0);
    expect(reach).toBeLessThan(7 + 3.5 * 2);
  });

  it("says where latents are, and of those further out than it reaches, at which edge", () => {
    const basis = {
      mean: [1, 1, 1],
      directions: [
        [1, 0, 0],
        [0, 0, 1],
      ],
      reach: 4,
    } as const;
    expect(Array.from(project(Float32Array.of(3, 9, 0, 1, 1, -99), basis))).toEqual([0.5, -0.25, 0, -1]);
  });

  it("is finite where latents do not spread in so many directions", () => {
    for (const latents of [Float32Array.of(1, 0, 3, 0), Float32Array.of(1, 1)]) {
      const { directions, reach } = principalBasis(latents, 2, 1);
      expect(directions.flatMap((direction) => Array.from(direction)).every(Number.isFinite)).toBe(true);
      expect(reach).toBeGreaterThan(0);
    }
  });
});
