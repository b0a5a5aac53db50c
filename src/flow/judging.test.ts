import { describe, expect, it } from "vitest";
import { drawToken, framesByToken, judgedAnswer, judgedText, judgementOf, uniformAt } from "./judging";

const EOS = 1;

describe("a text as a judge reads it", () => {
  it("has its end behind it where there is room, and what it goes on from before it", () => {
    expect(judgedText([5, 6], [], 8, EOS)).toEqual({ ids: [5, 6, 1], given: 0, own: [5, 6] });
    expect(judgedText([5, 6], [7, 8], 8, EOS)).toEqual({ ids: [7, 8, 5, 6, 1], given: 2, own: [5, 6] });
  });

  it("loses its end where it is too long, and before that the beginning of what comes before it", () => {
    expect(judgedText([5, 6, 7], [], 2, EOS)).toEqual({ ids: [5, 6], given: 0, own: [5, 6] });
    expect(judgedText([5, 6], [7, 8, 9], 5, EOS)).toEqual({ ids: [8, 9, 5, 6, 1], given: 2, own: [5, 6] });
  });
});

describe("an answer as a judge reads it", () => {
  it("stands behind a token that is given, and always has its end, for which it loses what is too much", () => {
    expect(judgedAnswer([5, 6], 0, 8, EOS)).toEqual({ ids: [0, 5, 6, 1], given: 1, own: [5, 6] });
    expect(judgedAnswer([5, 6, 7], 0, 3, EOS)).toEqual({ ids: [0, 5, 6, 1], given: 1, own: [5, 6] });
    expect(judgedAnswer([], 0, 8, EOS)).toEqual({ ids: [0, 1], given: 1, own: [] });
    // Its first token counts, too.
    expect(judgementOf(judgedAnswer([2], 0, 8, EOS), new Float32Array(2 * 4), 4, EOS).tokens).toBe(2);
  });
});

describe("a judgement", () => {
  /** Every token as likely as every other. */
  const even = (rows: number) => new Float32Array(rows * 4).fill(3);

  it("counts every token but the first of all and ends after the first", () => {
    const read = { ids: [2, 3, EOS, EOS], given: 0, own: [2, 3] };
    const { tokens, nats, perplexity } = judgementOf(read, even(3), 4, EOS);
    expect(tokens).toBe(2);
    expect(nats).toBeCloseTo(2 * Math.log(4), 12);
    expect(perplexity).toBeCloseTo(4, 12);
    const after = { ids: [2, 3, EOS], given: 1, own: [3] };
    expect(judgementOf(after, even(2), 4, EOS).tokens).toBe(2);
  });

  it("has no perplexity where nothing counts, and the entropy of how often each token comes", () => {
    expect(judgementOf({ ids: [2], given: 0, own: [2] }, even(0), 4, EOS)).toEqual({
      nats: 0,
      tokens: 0,
      perplexity: null,
      entropy: 0,
    });
    const own = [2, 3, 2, 3];
    expect(judgementOf({ ids: own, given: 0, own }, even(3), 4, EOS).entropy).toBeCloseTo(Math.log(2), 12);
  });

  it("survives logits beyond what exp takes", () => {
    const logits = Float32Array.of(0, 0, 1000, 0);
    expect(judgementOf({ ids: [2, 2], given: 0, own: [2, 2] }, logits, 4, EOS).nats).toBeCloseTo(0, 9);
    expect(judgementOf({ ids: [2, 3], given: 0, own: [2, 3] }, logits, 4, EOS).nats).toBeCloseTo(1000, 3);
  });
});

describe("a token drawn", () => {
  const logits = Float32Array.from([0.1, 0.2, 0.3, 0.4], Math.log);

  it("is the one in whose share the number lies", () => {
    const drawn = [0, 0.09, 0.11, 0.29, 0.31, 0.59, 0.61, 0.999999].map((u) => drawToken(logits, u, 2).token);
    expect(drawn).toEqual([0, 0, 1, 1, 2, 2, 3, 3]);
    expect(drawToken(logits, 1, 2).token).toBe(3);
    expect(drawToken(Float32Array.of(1, 5, 2), null, 1)).toMatchObject({ token: 1, topTokens: [1] });
  });

  it("comes with how likely it was and what else was likely", () => {
    const { probability, entropy, topTokens, topProbabilities } = drawToken(logits, 0.05, 2);
    expect(probability).toBeCloseTo(0.1, 6);
    expect(entropy).toBeCloseTo(-[0.1, 0.2, 0.3, 0.4].reduce((sum, p) => sum + p * Math.log(p), 0), 6);
    expect(topTokens).toEqual([3, 2]);
    expect(topProbabilities[0]).toBeCloseTo(0.4, 6);
  });

  it("has the likeliest beside it in their order, of equal ones the first, wherever they stand", () => {
    const shares = Float32Array.from([0.05, 0.2, 0.1, 0.3, 0.2, 0.15], Math.log);
    expect(drawToken(shares, 0.5, 4).topTokens).toEqual([3, 1, 4, 5]);
    expect(drawToken(shares, 0.5, 9).topTokens).toEqual([3, 1, 4, 5, 2, 0]);
  });

  it("is as often each as it is likely, over the places of many seeds", () => {
    const counts = [0, 0, 0, 0];
    for (let seed = 0; seed < 100; seed++) {
      for (let place = 0; place < 40; place++) {
        const { token } = drawToken(logits, uniformAt(seed, place), 1);
        counts[token] = (counts[token] ?? 0) + 1;
      }
    }
    // 4,000 draws: within four standard deviations.
    for (const [token, p] of [0.1, 0.2, 0.3, 0.4].entries()) {
      expect(Math.abs((counts[token] ?? 0) / 4000 - p)).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / 4000));
    }
  });
});

it("a text written token by token has a frame for each, the rest its end", () => {
  const drawn = [5, 6].map((token) => ({
    token,
    probability: 0.5,
    entropy: 0.7,
    topTokens: [token, 9],
    topProbabilities: [0.5, 0.25],
  }));
  const frames = framesByToken([4], drawn, EOS);
  expect(frames.map(({ t, step }) => [step, t])).toEqual([
    [0, 0],
    [1, 0.5],
    [2, 1],
  ]);
  expect(frames.map(({ holds }) => Array.from(holds.tokens))).toEqual([
    [4, 1, 1, 1],
    [4, 5, 1, 1],
    [4, 5, 6, 1],
  ]);
  expect(Array.from(frames[2]?.holds.topTokens ?? [])).toEqual([4, 1, 5, 9, 6, 9, 1, 1]);
  expect(frames[1]?.holds.entropy[1]).toBeCloseTo(0.7, 6);
  expect(framesByToken([4], [], EOS)).toHaveLength(1);
});
