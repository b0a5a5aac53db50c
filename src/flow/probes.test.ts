import { describe, expect, it } from "vitest";
import type { Reading } from "./network";
import { distances, margins } from "./probes";
import type { FlowState } from "./sampler";
import { ToyNetwork } from "./testing/toyNetwork";
import { readFrames } from "./trajectory";

function reading(...tokens: number[]): Reading {
  return {
    tokens: Int32Array.from(tokens),
    entropy: new Float32Array(tokens.length),
    topTokens: Int32Array.from(tokens.flatMap((token) => [token, 0])),
    topProbabilities: Float32Array.from(tokens.flatMap(() => [0.75, 0.125])),
  };
}

describe("probes", () => {
  it("tells by how much a token leads", () => {
    expect(Array.from(margins(reading(5, 6)))).toEqual([0.625, 0.625]);
    // A vocabulary of one.
    expect(Array.from(margins({ ...reading(5), topProbabilities: Float32Array.of(1) }))).toEqual([1]);
  });

  it("tells how far each position is from its end", () => {
    const far = distances(Float32Array.of(3, 4, 1, 1), Float32Array.of(0, 0, 1, 1), 2);
    expect(Array.from(far)).toEqual([Math.fround(Math.sqrt(12.5)), 0]);
  });
});

describe("readFrames", () => {
  it("reads one sample of several states in one pass", async () => {
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
});
