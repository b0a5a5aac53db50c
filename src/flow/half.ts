/** Numbers in 16 bits (IEEE 754 binary16): 11 significant bits, enough to look at. */

const floats = new Float32Array(1);
const bits = new Uint32Array(floats.buffer);

const LARGEST = 0x7bff;

/** Rounds to the nearest, ties to even; what is too large becomes the largest, 65504. Takes finite numbers. */
export function toHalf(values: Float32Array): Uint16Array {
  return Uint16Array.from(values, halfOf);
}

export function fromHalf(halves: Uint16Array): Float32Array {
  return Float32Array.from(halves, (half) => {
    const exponent = (half >>> 10) & 0x1f;
    const mantissa = half & 0x3ff;
    const size = exponent === 0 ? mantissa * 2 ** -24 : (1024 + mantissa) * 2 ** (exponent - 25);
    return half & 0x8000 ? -size : size;
  });
}

function halfOf(value: number): number {
  floats[0] = value;
  const word = bits[0] as number;
  const sign = (word >>> 16) & 0x8000;
  const exponent = ((word >>> 23) & 0xff) - 112;
  const mantissa = word & 0x7fffff;
  if (exponent < -10) return sign;
  // Below 2⁻¹⁴ halves have no hidden bit and lose one more for each power of two.
  const size = exponent > 0 ? rounded((exponent << 23) | mantissa, 13) : rounded(mantissa | 0x800000, 14 - exponent);
  return sign | Math.min(size, LARGEST);
}

/** `word` without its last `count` bits, rounded to the nearest, ties to even. */
function rounded(word: number, count: number): number {
  const kept = word >>> count;
  const rest = word - kept * 2 ** count;
  const middle = 2 ** (count - 1);
  return rest > middle || (rest === middle && kept % 2 === 1) ? kept + 1 : kept;
}
