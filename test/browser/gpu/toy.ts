/** The network of the kernel's tests: any smooth function of all its inputs, number by number. */
export function toyAnswer(z: number, previous: number, t: number, selfCondScale: number): number {
  return Math.tanh(0.7 * z + 0.2 * previous + t - 0.1 * selfCondScale);
}
