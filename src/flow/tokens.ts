/** The tokens before the first end-of-sequence token `eos`; all of them if there is none. */
export function cutAtEnd(tokens: Int32Array, eos: number): Int32Array {
  const end = tokens.indexOf(eos);
  return end < 0 ? tokens : tokens.subarray(0, end);
}
