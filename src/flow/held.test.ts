import { expect, it } from "vitest";
import { checkHeld, encodeHeld, newlyHeld } from "./held";
import { type Encoder, HIDDEN, type Source } from "./network";

/** Gives each token two numbers: itself, and how many it was shown with. Remembers what it was shown. */
class ToyEncoder implements Encoder {
  readonly shown: Source[] = [];
  async encode(sources: readonly Source[]): Promise<Float32Array[]> {
    this.shown.push(...sources);
    return sources.map((source) => {
      const seen = source.filter((id) => id !== HIDDEN).length;
      return Float32Array.from(source.flatMap((id) => [id, seen]));
    });
  }
}

const held = [
  { position: 4, token: 40 },
  { position: 1, token: 10 },
];

it("what is not known is hidden from the encoder", async () => {
  const encoder = new ToyEncoder();
  const fixed = await encodeHeld(encoder, held, { held });
  expect(encoder.shown).toEqual([[HIDDEN, 10, HIDDEN, HIDDEN, 40]]);
  expect(fixed).toEqual([
    { row: 0, position: 4, latent: Float32Array.of(40, 2) },
    { row: 0, position: 1, latent: Float32Array.of(10, 2) },
  ]);
});

it("prompt and known text are shown, held tokens in their places", async () => {
  const encoder = new ToyEncoder();
  const fixed = await encodeHeld(encoder, held.slice(0, 1), {
    held,
    source: [7, 8],
    around: Int32Array.of(1, 2, 3, 4, 5, 6),
  });
  expect(encoder.shown).toEqual([[7, 8, 1, 10, 3, 4, 40, 6]]);
  expect(fixed).toEqual([{ row: 0, position: 6, latent: Float32Array.of(40, 8) }]);
});

it("nothing is encoded for nothing", async () => {
  const encoder = new ToyEncoder();
  expect(await encodeHeld(encoder, [], { held: [] })).toEqual([]);
  expect(encoder.shown).toEqual([]);
});

it("a place held to another token is held anew", () => {
  expect(
    newlyHeld(
      [...held, { position: 2, token: 5 }],
      [
        { position: 4, token: 41 },
        { position: 1, token: 10 },
      ],
    ),
  ).toEqual([
    { position: 4, token: 40 },
    { position: 2, token: 5 },
  ]);
});

it("places are counted from 1 where a person hears of them, as where they name them", () => {
  const check = (...positions: number[]) => {
    const words = positions.map((position) => ({ position, token: 5 }));
    return () => checkHeld(words, 97, 10);
  };
  expect(check(0, 96)).not.toThrow();
  expect(check(97)).toThrow("No token can be held at position 98.");
  expect(check(3, 3)).toThrow("No token can be held at position 4 twice.");
  expect(check(-1)).toThrow(expect.objectContaining({ action: expect.stringContaining("from 1 to 97") }));
});
