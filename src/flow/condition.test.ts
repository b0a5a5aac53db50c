import { describe, expect, it, vi } from "vitest";
import { checkSources, encodeCondition, hide, hold } from "./condition";
import { ConditionError } from "./errors";
import type { Source } from "./network";

const limits = { maxInputLength: 3, sourceOptional: false, vocabularySize: 100 };

describe("checkSources", () => {
  it("accepts a prompt for each sample, or one for all", () => {
    checkSources([[5], [6, 7, 8]], 2, 4, limits);
    checkSources([[0, 99]], 5, 4, limits);
    checkSources([], 1, 4, { ...limits, maxInputLength: 0 });
  });

  it.each<[string, readonly Source[], number]>([
    ["needs a prompt", [], 1],
    ["3 prompts for a batch of 2", [[5], [6], [7]], 2],
    ["The prompt is empty", [[]], 2],
    ["Prompt 2 is empty", [[5], []], 2],
    ["The prompt has 4 tokens", [[5, 6, 7, 8]], 1],
    ["the token 100", [[100]], 1],
    ["the token -1", [[5, -1]], 1],
    ["the token 1.5", [[1.5]], 1],
    ["the token NaN", [[Number.NaN]], 1],
  ])("says: %s", (message, sources, batch) => {
    expect(() => checkSources(sources, batch, 5, limits)).toThrow(ConditionError);
    expect(() => checkSources(sources, batch, 5, limits)).toThrow(message);
  });

  it("accepts none where the model may do without, and checks what is given all the same", () => {
    const optional = { ...limits, sourceOptional: true };
    for (const batch of [1, 5]) checkSources([], batch, 4, optional);
    checkSources([[5]], 2, 4, optional);
    expect(() => checkSources([[]], 1, 4, optional)).toThrow("The prompt is empty");
    expect(() => checkSources([[5, 6, 7, 8]], 1, 5, optional)).toThrow("The prompt has 4 tokens");
  });

  it("refuses a prompt that leaves no room, and any for a model that takes none", () => {
    expect(() => checkSources([[5, 6]], 1, 2, limits)).toThrow("leaves no room in a length of 2");
    expect(() => checkSources([[5]], 1, 4, { ...limits, maxInputLength: 0 })).toThrow("takes no prompt");
  });
});

describe("a condition", () => {
  /** Each token's latent is its number, twice. */
  const encoder = {
    encode: vi.fn(async (sources: readonly Source[]) =>
      sources.map((source) => Float32Array.from(source.flatMap((id) => [id, id]))),
    ),
  };
  const shape = { batch: 2, length: 3, latentSize: 2 };

  it("lies at the front of each row, zeros behind it", async () => {
    const condition = await encodeCondition(encoder, [[5], [6, 7]], shape);
    expect(condition).toEqual({
      latents: Float32Array.of(5, 5, 0, 0, 0, 0, 6, 6, 7, 7, 0, 0),
      lengths: [1, 2],
      latentSize: 2,
    });
  });

  it("is encoded once where one prompt serves all", async () => {
    encoder.encode.mockClear();
    const condition = await encodeCondition(encoder, [[5]], shape);
    expect(encoder.encode).toHaveBeenCalledExactlyOnceWith([[5]]);
    expect(condition?.lengths).toEqual([1, 1]);
    expect(condition?.latents.subarray(6, 8)).toEqual(Float32Array.of(5, 5));
    expect(await encodeCondition(encoder, [], shape)).toBeUndefined();
  });

  it("is held and hidden at its own positions only, on copies", async () => {
    const condition = await encodeCondition(encoder, [[5], [6, 7]], shape);
    const array = new Float32Array(12).fill(1);
    expect(Array.from(hold(array, condition))).toEqual([5, 5, 1, 1, 1, 1, 6, 6, 7, 7, 1, 1]);
    expect(Array.from(hide(array, condition))).toEqual([0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1]);
    expect(array.every((x) => x === 1)).toBe(true);
    expect(hold(array, undefined)).toBe(array);
  });
});
