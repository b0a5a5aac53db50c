import { describe, expect, it } from "vitest";
import { surestOf, uncertaintyOf } from "./certainty";

const EOS = 1;
const read = (tokens: number[], entropy: number[]) => ({
  tokens: Int32Array.from(tokens),
  entropy: Float32Array.from(entropy),
});
const EMPTY = read([EOS, 5], [0, 0]);

describe("the uncertainty of a text", () => {
  it("is the mean over its tokens, in nats", () => {
    expect(uncertaintyOf(read([5, 6, 7], [0.5, 1, 3]), EOS)).toBe(1.5);
  });

  it("leaves out its end and whatever stands behind the first", () => {
    expect(uncertaintyOf(read([5, 6, EOS, 7, EOS], [0.5, 1, 8, 8, 8]), EOS)).toBe(0.75);
  });

  it("is over all positions where the vocabulary has no end", () => {
    expect(uncertaintyOf(read([5, EOS], [0.5, 1]), null)).toBe(0.75);
  });

  it("has no limit where the text is empty", () => {
    expect(uncertaintyOf(EMPTY, EOS)).toBe(Number.POSITIVE_INFINITY);
    expect(uncertaintyOf(read([], []), EOS)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("the surest of several texts", () => {
  it("is that of the least mean, however long each is", () => {
    expect(surestOf([read([5, 6], [1, 1]), read([5, 6, 7, EOS], [0.5, 0.5, 0.5, 9]), read([5], [0.75])], EOS)).toBe(1);
  });

  it("is the first of equal ones", () => {
    expect(surestOf([read([5], [1]), read([6], [0.5]), read([7, 8], [0.25, 0.75])], EOS)).toBe(1);
  });

  it("is an empty one only where all are", () => {
    expect(surestOf([EMPTY, read([5], [9])], EOS)).toBe(1);
    expect(surestOf([EMPTY, EMPTY], EOS)).toBe(0);
  });
});
