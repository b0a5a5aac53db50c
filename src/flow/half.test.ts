import { expect, it } from "vitest";
import { fromHalf, toHalf } from "./half";

it("writes the bits of IEEE 754 binary16", () => {
  const known: [number, number][] = [
    [0, 0],
    [-0, 0x8000],
    [1, 0x3c00],
    [-2, 0xc000],
    [65504, 0x7bff],
    [1 / 3, 0x3555],
    // The least number with a hidden bit, and the least of all.
    [2 ** -14, 0x0400],
    [2 ** -24, 0x0001],
  ];
  for (const [value, bits] of known) {
    expect(toHalf(Float32Array.of(value))[0]).toBe(bits);
    if (value !== 1 / 3) expect(fromHalf(Uint16Array.of(bits))[0]).toBe(value);
  }
});

it("rounds to the nearest, ties to even", () => {
  // Between 1 and 1 + 2⁻¹⁰.
  expect(toHalf(Float32Array.of(1 + 2 ** -11, 1 + 2 ** -11 + 2 ** -20, 1 + 3 * 2 ** -11))).toEqual(
    Uint16Array.of(0x3c00, 0x3c01, 0x3c02),
  );
  expect(toHalf(Float32Array.of(2 ** -25, 1.5 * 2 ** -25, 2 ** -26))).toEqual(Uint16Array.of(0, 1, 0));
  // Up into the next power of two, and out of reach.
  expect(toHalf(Float32Array.of(2 - 2 ** -12, 2 ** -14 - 2 ** -26, 70000, -1e30))).toEqual(
    Uint16Array.of(0x4000, 0x0400, 0x7bff, 0xfbff),
  );
});

it("gives every half back", () => {
  const halves = Uint16Array.from({ length: 0x7c00 }, (_, i) => i);
  expect(toHalf(fromHalf(halves))).toEqual(halves);
});
