import { expect, it } from "vitest";
import { pacedFrames } from "./pacedFrames";

it.each<[number, number, readonly number[]]>([
  [1, 1, [0, 1]],
  [8, 1, [0, 8]],
  [16, 1, [0, 8, 16]],
  [32, 1, [0, 8, 16, 24, 32]],
  [32, 2, [0, 5, 9, 14, 18, 23, 27, 32]],
  [4, 4, [0, 2, 4]],
])("of %i steps of %i passes are noise, text and what costs a fifth between", (steps, passes, frames) => {
  expect([...pacedFrames(steps, passes)]).toEqual(frames);
});

it("never costs more than a quarter of a run that reads its text alone", () => {
  for (let steps = 5; steps <= 256; steps++) {
    for (const passes of [1, 2, 4]) {
      const reads = 2 * pacedFrames(steps, passes).size - 1;
      expect((steps * passes + reads) / (steps * passes + 2)).toBeLessThan(1.25);
    }
  }
});
