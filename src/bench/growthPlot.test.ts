import { expect, it } from "vitest";
import { growthPlot } from "./growthPlot";

const growth = {
  positions: {
    points: [
      [32, 0.01],
      [320, 0.1],
      [3200, 1],
    ] as const,
    exponent: 1,
  },
  samples: {
    points: [
      [1, 0.02],
      [100, 0.2],
    ] as const,
    exponent: 0.5,
  },
};
const pointsOf = (svg: string) =>
  Array.from(svg.matchAll(/points="([^"]+)"/g), ([, points = ""]) =>
    points.split(" ").map((pair) => pair.split(",").map(Number)),
  );

it("draws every line from one corner, one of exponent 1 along the dotted line, and flatter ones below it", () => {
  const svg = growthPlot(growth);
  const [positions = [], samples = []] = pointsOf(svg);
  expect(positions[0]).toEqual(samples[0]);
  const [, end] = /class="even" d="M[^L]+L([\d.]+,[\d.]+)"/.exec(svg) ?? [];
  expect(end?.split(",").map(Number)).toEqual(positions[2]);
  // Half of the way up at the whole way to the right, on scales of powers.
  const [[x0 = 0, y0 = 0] = [], [x1 = 0, y1 = 0] = []] = samples;
  const [[, top = 0] = []] = [positions[2] ?? []];
  expect((y0 - y1) / (y0 - top)).toBeCloseTo(0.5, 2);
  expect(x1).toBeCloseTo(positions[2]?.[0] ?? 0, 3);
  expect(x0).toBeLessThan(x1);
});

it("says in words what it shows", () => {
  const svg = growthPlot(growth);
  expect(svg).toContain(
    "<title>How the time of a pass, or of a run, grows: positions, exponent 1.00; samples, exponent 0.50</title>",
  );
  expect(svg).toContain("samples, a = 0.50");
});
