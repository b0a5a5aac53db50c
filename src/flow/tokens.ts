/** The tokens before the first end-of-sequence token `eos`; all of them if there is none. */
export function cutAtEnd(tokens: Int32Array, eos: number | null): Int32Array {
  const end = eos === null ? -1 : tokens.indexOf(eos);
  return end < 0 ? tokens : tokens.subarray(0, end);
}

/** Position of the first end-of-sequence token; the length if there is none. */
export function endOf(tokens: Int32Array, eos: number | null): number {
  return cutAtEnd(tokens, eos).length;
}

/**
 * What a run wrote after its prompt: the tokens behind the first `sourceLength`, at most `longest` of them (`roomOf`),
 * before the first `eos`.
 */
export function targetOf(tokens: Int32Array, sourceLength: number, longest: number, eos: number): Int32Array {
  return cutAtEnd(tokens.subarray(sourceLength, sourceLength + longest), eos);
}
