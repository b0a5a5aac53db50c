/**
 * `flow/random.ts` in WGSL: threefry2x32 in both layouts of bits, and normals. Bits are equal; a normal may differ in
 * its last places, since WGSL lets a compiler fuse a product with a sum. WGSL's own `log` is left out for that reason
 * too: it may err by 2⁻²¹, and by another amount on each GPU, so the same seed would not mean the same noise.
 */
export const RANDOM_WGSL = /* wgsl */ `
const ORIGINAL = 0u;

fn rotated(x: u32, by: u32) -> u32 {
  return (x << by) | (x >> (32u - by));
}

fn mixed(x: vec2<u32>, by: u32) -> vec2<u32> {
  let sum = x.x + x.y;
  return vec2(sum, rotated(x.y, by) ^ sum);
}

// One block of 20 rounds: five groups of four, a word of the key after each.
fn threefry2x32(key: vec2<u32>, counter: vec2<u32>) -> vec2<u32> {
  let third = key.x ^ key.y ^ 0x1bd11bdau;
  var x = counter + key;
  x = mixed(mixed(mixed(mixed(x, 13u), 15u), 26u), 6u) + vec2(key.y, third + 1u);
  x = mixed(mixed(mixed(mixed(x, 17u), 29u), 16u), 24u) + vec2(third, key.x + 2u);
  x = mixed(mixed(mixed(mixed(x, 13u), 15u), 26u), 6u) + vec2(key.x, key.y + 3u);
  x = mixed(mixed(mixed(mixed(x, 17u), 29u), 16u), 24u) + vec2(key.y, third + 4u);
  x = mixed(mixed(mixed(mixed(x, 13u), 15u), 26u), 6u) + vec2(third, key.x + 5u);
  return x;
}

// Word i of jax.random.bits(key, (count,), uint32).
fn randomBits(key: vec2<u32>, i: u32, count: u32, rng: u32) -> u32 {
  if (rng != ORIGINAL) {
    let words = threefry2x32(key, vec2(0u, i));
    return words.x ^ words.y;
  }
  let half = (count + 1u) / 2u;
  let first = select(i - half, i, i < half);
  let partner = first + half;
  // An odd count is filled up with one zero counter.
  let words = threefry2x32(key, vec2(first, select(0u, partner, partner < count)));
  return select(words.y, words.x, i < half);
}

// ln(x) for a normal float x > 0, to 1 unit in the last place (Cephes logf).
fn naturalLog(x: f32) -> f32 {
  let bits = bitcast<u32>(x);
  var exponent = f32(i32(bits >> 23u) - 126);
  var m = bitcast<f32>((bits & 0x007fffffu) | 0x3f000000u);
  if (m < 0.70710678) {
    exponent -= 1.0;
    m += m;
  }
  m -= 1.0;
  let square = m * m;
  var y = 7.0376836292e-2;
  y = y * m - 1.1514610310e-1;
  y = y * m + 1.1676998740e-1;
  y = y * m - 1.2420140846e-1;
  y = y * m + 1.4249322787e-1;
  y = y * m - 1.6668057665e-1;
  y = y * m + 2.0000714765e-1;
  y = y * m - 2.4999993993e-1;
  y = y * m + 3.3333331174e-1;
  y = y * m * square - 2.12194440e-4 * exponent - 0.5 * square;
  return m + y + 0.693359375 * exponent;
}

// Giles, "Approximating the erfinv function" (2012); coefficients of the highest power first.
fn centralPolynomial(w: f32) -> f32 {
  var p = 2.81022636e-8;
  p = p * w + 3.43273939e-7;
  p = p * w - 3.5233877e-6;
  p = p * w - 4.39150654e-6;
  p = p * w + 0.00021858087;
  p = p * w - 0.00125372503;
  p = p * w - 0.00417768164;
  p = p * w + 0.246640727;
  return p * w + 1.50140941;
}

fn tailPolynomial(w: f32) -> f32 {
  var p = -0.000200214257;
  p = p * w + 0.000100950558;
  p = p * w + 0.00134934322;
  p = p * w - 0.00367342844;
  p = p * w + 0.00573950773;
  p = p * w - 0.0076224613;
  p = p * w + 0.00943887047;
  p = p * w + 1.00167406;
  return p * w + 2.83297682;
}

// The normal of these 32 bits. \`zero\` is 0, which the compiler must not know: what passes through it is rounded to a
// float there. At the edges 1 - u² is a small difference, and a fused u² would give quite another one.
fn normalOfBits(bits: u32, zero: u32) -> f32 {
  let unit = bitcast<f32>((bits >> 9u) | 0x3f800000u) - 1.0;
  // The float just above -1, and 2 as the rounded distance from there to 1.
  let lowest = bitcast<f32>(0xbf7fffffu);
  let u = max(lowest, unit * 2.0 + lowest);
  let square = bitcast<f32>(bitcast<u32>(u * u) | zero);
  let w = -naturalLog(1.0 - square);
  var p: f32;
  if (w < 5.0) {
    p = centralPolynomial(w - 2.5);
  } else {
    p = tailPolynomial(sqrt(w) - 3.0);
  }
  return 1.41421356 * (p * u);
}
`;
