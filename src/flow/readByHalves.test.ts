import { expect, it } from "vitest";
import { readByHalves } from "./readByHalves";
import type { FlowState } from "./sampler";
import { ToyNetwork } from "./testing/toyNetwork";
import { type Frame, readFrame } from "./trajectory";

async function all(frames: AsyncIterable<Frame>): Promise<Frame[]> {
  const got: Frame[] = [];
  for await (const frame of frames) got.push(frame);
  return got;
}

it.each([
  "holds",
  "expects",
] as const)("a frame whose %s is read first is in the end the frame of one pass", async (first) => {
  const network = new ToyNetwork();
  const state: FlowState = {
    step: 3,
    batch: 1,
    t: 0.5,
    z: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8),
    prediction: Float32Array.of(9, 8, 7, 6, 5, 4, 3, 2),
    predictedAt: 0.4,
  };
  const whole = await readFrame(network, state, 1);
  const halves = await all(readByHalves(network, state, 1, first));
  expect(halves.map(({ awaits }) => awaits)).toEqual([first === "holds" ? "expects" : "holds", undefined]);
  expect(halves[0]?.[first]).toEqual(whole[first]);
  expect(halves[1]).toEqual(whole);
  // Noise holds what it expects: there is nothing to wait for.
  const noise = { ...state, step: 0 };
  expect(await all(readByHalves(network, noise, 1, first))).toEqual([await readFrame(network, noise, 1)]);
});
