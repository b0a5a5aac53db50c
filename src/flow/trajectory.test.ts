import { expect, it } from "vitest";
import type { Reading } from "./network";
import type { FlowState } from "./sampler";
import { ToyNetwork } from "./testing/toyNetwork";
import { cutToText, isRead, readFrames, unreadSteps, wholeFrames, withFrames } from "./trajectory";

const reading: Reading = {
  tokens: Int32Array.of(10, 11, 12, 13, 14),
  entropy: Float32Array.of(0, 1, 2, 3, 4),
  topTokens: Int32Array.of(10, 90, 11, 91, 12, 92, 13, 93, 14, 94),
  topProbabilities: Float32Array.of(0.5, 0.1, 0.5, 0.1, 0.6, 0.2, 0.7, 0.3, 0.8, 0.4),
};

const at = (step: number) => ({ step, t: step / 8, holds: reading, expects: reading });
const stepsOf = (frames: readonly { step: number }[]) => frames.map(({ step }) => step);

it("the frame before stands in for those that were not read, until they are", () => {
  const paced = withFrames(withFrames([], [at(0), at(4)]), [at(8)]);
  expect(stepsOf(paced)).toEqual([0, 0, 0, 0, 4, 4, 4, 4, 8]);
  expect(unreadSteps(paced)).toEqual([1, 2, 3, 5, 6, 7]);
  const more = withFrames(paced, [at(2), at(7)]);
  expect(stepsOf(more)).toEqual([0, 0, 2, 2, 4, 4, 4, 7, 8]);
  expect([1, 2, 3, 9].map((index) => isRead(more, index))).toEqual([false, true, false, false]);
  const whole = withFrames(more, [at(6), at(1), at(5), at(3)]);
  expect(stepsOf(whole)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  expect(unreadSteps(whole)).toEqual([]);
});

it("a frame of which a half is read is unread still, and is not kept", () => {
  const paced = withFrames([], [at(0), at(4)]);
  const half = withFrames(paced, [{ ...at(2), awaits: "expects" }]);
  expect(isRead(half, 2)).toBe(false);
  expect(isRead(half, 2, "expects")).toBe(false);
  expect(isRead(half, 2, "holds")).toBe(true);
  // The one after it is as unread as it was, whichever frame stands in for it.
  expect(unreadSteps(half)).toEqual([1, 2, 3]);
  expect(isRead(half, 3, "holds")).toBe(false);
  expect(stepsOf(wholeFrames(half))).toEqual([0, 0, 0, 0, 4]);
  expect(unreadSteps(withFrames(half, [at(2)]))).toEqual([1, 3]);
});

it("cuts a frame to what is written after the prompt, and reads held tokens as themselves", () => {
  const frame = { step: 0, t: 0, holds: reading, expects: reading };
  const cut = cutToText(frame, { from: 2, room: 2, held: [{ position: 1, token: 77 }] });
  expect(cut.holds).toEqual({
    tokens: Int32Array.of(12, 77),
    entropy: Float32Array.of(2, 3),
    topTokens: Int32Array.of(12, 92, 13, 93),
    topProbabilities: Float32Array.of(0.6, 0.2, 0.7, 0.3),
  });
  expect(cut.expects).toBe(cut.holds);
  expect(Array.from(reading.tokens)).toEqual([10, 11, 12, 13, 14]);
});

it("one sample of several states is read in one pass", async () => {
  const network = new ToyNetwork();
  let passes = 0;
  const decode = (latents: readonly Float32Array[]) => {
    passes++;
    return network.decode(latents);
  };
  const state = (step: number, ...values: number[]): FlowState => ({
    step,
    batch: 2,
    t: step / 2,
    z: Float32Array.from(values.flatMap((value) => [value, 0, 0, 0])),
    prediction: Float32Array.from(values.flatMap((value) => [10 * value, 0, 0, 0])),
    predictedAt: 0,
  });
  const states = [state(0, 1, 2), state(1, 3, 4), state(2, 5, 6)];
  const frames = await readFrames(
    { ...network, takesSelfCondScale: true, denoise: network.denoise, decode },
    states,
    1,
    1,
  );
  expect(passes).toBe(1);
  expect(frames.map(({ holds }) => holds.tokens[0])).toEqual([200, 400, 600]);
  expect(frames.map(({ expects }) => expects.tokens[0])).toEqual([200, 4000, 6000]);
  expect(await readFrames(network, [], 1)).toEqual([]);
});
