import { expect, it } from "vitest";
import { fromHalf } from "./half";

it("reads the bits of IEEE 754 binary16", () => {
  const known: [number, number][] = [
    [0, 0],
    [-0, 0x8000],
    [1, 0x3c00],
    [-2, 0xc000],
    [65504, 0x7bff],
    // One step above 1, the nearest to a third, and the least that is finite.
    [1 + 2 ** -10, 0x3c01],
    [1365 * 2 ** -12, 0x3555],
    [-65504, 0xfbff],
    // The least number with a hidden bit, the one below it, and the least of all.
    [2 ** -14, 0x0400],
    [1023 * 2 ** -24, 0x03ff],
    [2 ** -24, 0x0001],
  ];
  for (const [value, bits] of known) expect(fromHalf(Uint16Array.of(bits))[0]).toBe(value);
});

it("reads every half as a number of its own, in their order", () => {
  const all = fromHalf(Uint16Array.from({ length: 0x7c00 }, (_, i) => i));
  for (let i = 1; i < all.length; i++) expect(all[i]).toBeGreaterThan(all[i - 1] as number);
});
