/** Position of the first end-of-sequence token `eos`; the length if there is none, or if the vocabulary has none (null). */
export function endOf(tokens: Int32Array, eos: number | null): number {
  const end = eos === null ? -1 : tokens.indexOf(eos);
  return end < 0 ? tokens.length : end;
}

/** The tokens before the first end-of-sequence token `eos`; all of them if there is none. */
export function cutAtEnd(tokens: Int32Array, eos: number): Int32Array {
  return tokens.subarray(0, endOf(tokens, eos));
}

/**
 * What a run wrote after its prompt: the tokens behind the first `sourceLength`, at most `longest` of them (`roomOf`),
 * before the first `eos`.
 */
export function targetOf(tokens: Int32Array, sourceLength: number, longest: number, eos: number): Int32Array {
  return cutAtEnd(tokens.subarray(sourceLength, sourceLength + longest), eos);
}
