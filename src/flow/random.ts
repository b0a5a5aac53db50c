/**
 * JAX's random numbers: threefry2x32 (Salmon et al. 2011, 20 rounds) in the two layouts that JAX has had, and normals by
 * the inverse error function (Giles 2012). The same key gives JAX's own bits, and its normals to the last few bits.
 */
import type { RngLayout } from "./settings";

/** A threefry key: two unsigned 32-bit words. */
export type Key = readonly [number, number];

/** `jax.random.PRNGKey(seed)`; `seed` is an integer from 0 to 2³² − 1. */
export function keyOf(seed: number): Key {
  return [0, seed >>> 0];
}

/** `jax.random.split(key, count)`. The layouts give different keys. */
export function split(key: Key, count: number, layout: RngLayout): Key[] {
  const words = new Uint32Array(2 * count);
  if (layout === "original") {
    hashCounters(key, words);
  } else {
    for (let i = 0; i < count; i++) words.set(threefry2x32(key, 0, i), 2 * i);
  }
  return Array.from({ length: count }, (_, i): Key => [words[2 * i] as number, words[2 * i + 1] as number]);
}

/** `jax.random.fold_in(key, data)`, the same in both layouts; `data` is an integer from 0 to 2³² − 1. */
export function foldIn(key: Key, data: number): Key {
  return threefry2x32(key, 0, data >>> 0);
}

/** `jax.random.bits(key, (count,), uint32)`. */
export function randomBits(key: Key, count: number, layout: RngLayout): Uint32Array {
  const words = new Uint32Array(count);
  if (layout === "original") {
    hashCounters(key, words);
  } else {
    for (let i = 0; i < count; i++) {
      const [high, low] = threefry2x32(key, 0, i);
      words[i] = high ^ low;
    }
  }
  return words;
}

/**
 * `jax.random.normal(key, shape, float32)` for a shape of `count` elements in all, row-major: √2 · erfinv(u), u uniform
 * in (−1, 1) from 23 random bits. 99 of 100 equal JAX's on a CPU bit for bit, the rest to 3 units in the last place,
 * where XLA's logarithm rounds otherwise.
 */
export function normal(key: Key, count: number, layout: RngLayout): Float32Array {
  const bits = randomBits(key, count, layout);
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) values[i] = normalAt(uniformFromBits(bits[i] as number));
  return values;
}

/** √2 · erfinv(u), the normal's quantile at (1 + u)/2, for a float `u` strictly between −1 and 1. */
export function normalAt(u: number): number {
  return f32(SQRT2 * erfInv(u));
}

const f32 = Math.fround;
const SQRT2 = f32(Math.SQRT2);

/** The float just above −1: erfinv(−1) would be infinite. */
const LOWEST = f32(-1 + 2 ** -24);

const bitsOfFloat = new Uint32Array(1);
const floatOfBits = new Float32Array(bitsOfFloat.buffer);

/** Uniform in [nextafter(−1, 0), 1): 23 bits become the mantissa of a float in [1, 2), which is moved and stretched. */
function uniformFromBits(bits: number): number {
  bitsOfFloat[0] = (bits >>> 9) | 0x3f800000;
  const unit = f32((floatOfBits[0] as number) - 1);
  return Math.max(LOWEST, f32(f32(unit * f32(1 - LOWEST)) + LOWEST));
}

// Giles, "Approximating the erfinv function" (2012), single precision; the coefficients XLA uses, highest power first.
const CENTRAL = [
  2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 0.00021858087, -0.00125372503, -0.00417768164,
  0.246640727, 1.50140941,
].map(f32);
const TAIL = [
  -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047,
  1.00167406, 2.83297682,
].map(f32);

/** Inverse error function of a float strictly between −1 and 1, in float arithmetic throughout. */
function erfInv(x: number): number {
  const w = f32(-Math.log1p(f32(-x * x)));
  const central = w < 5;
  const shifted = central ? f32(w - 2.5) : f32(f32(Math.sqrt(w)) - 3);
  let p = 0;
  // One rounding per power, as the fused multiply-add of XLA's CPU code does it: a product of floats is exact in a double.
  for (const coefficient of central ? CENTRAL : TAIL) p = f32(coefficient + p * shifted);
  return f32(p * x);
}

/**
 * The original layout: counters 0 … n − 1, the first half paired with the second, both halves of the answer one after
 * the other. An odd n is filled up with one zero counter whose answer is dropped.
 */
function hashCounters(key: Key, out: Uint32Array): void {
  const half = Math.ceil(out.length / 2);
  for (let i = 0; i < half; i++) {
    const partner = i + half;
    const [x0, x1] = threefry2x32(key, i, partner < out.length ? partner : 0);
    out[i] = x0;
    if (partner < out.length) out[partner] = x1;
  }
}

const ROTATIONS = [
  [13, 15, 26, 6],
  [17, 29, 16, 24],
] as const;

/** One threefry2x32 block of 20 rounds. */
function threefry2x32(key: Key, count0: number, count1: number): Key {
  const keys = [key[0], key[1], key[0] ^ key[1] ^ 0x1bd11bda] as const;
  let x0 = (count0 + keys[0]) | 0;
  let x1 = (count1 + keys[1]) | 0;
  for (let group = 0; group < 5; group++) {
    for (const rotation of ROTATIONS[(group % 2) as 0 | 1]) {
      x0 = (x0 + x1) | 0;
      x1 = ((x1 << rotation) | (x1 >>> (32 - rotation))) ^ x0;
    }
    x0 = (x0 + keys[((group + 1) % 3) as 0 | 1 | 2]) | 0;
    x1 = (x1 + keys[((group + 2) % 3) as 0 | 1 | 2] + group + 1) | 0;
  }
  return [x0 >>> 0, x1 >>> 0];
}
