/** What can be measured of a run besides its tokens. The decoder gives the entropy itself (`Reading.entropy`). */
import type { Reading } from "./network";

/** By how much each position's token is more probable than the next best, 0 … 1; (length). */
export function margins({ tokens, topProbabilities }: Reading): Float32Array {
  const k = topProbabilities.length / tokens.length;
  return Float32Array.from(tokens, (_, position) => {
    const [best = 0, second = 0] = topProbabilities.subarray(position * k, (position + 1) * k);
    return best - second;
  });
}

/** How far each position is from where it ends: the root mean square over its D numbers; (positions). */
export function distances(z: Float32Array, final: Float32Array, latentSize: number): Float32Array {
  return Float32Array.from({ length: z.length / latentSize }, (_, position) => {
    let sum = 0;
    for (let i = position * latentSize; i < (position + 1) * latentSize; i++) {
      sum += ((z[i] as number) - (final[i] as number)) ** 2;
    }
    return Math.sqrt(sum / latentSize);
  });
}
