/**
 * What a `tokenizer.json` from a stranger may be. Neither this project's readers nor the library look at a file before they
 * use it: a pattern that never ends, or a piece of a million letters, would keep the worker for hours.
 */
import type { TokenizerFile } from "./reader";

/** Letters of the longest piece; those of known vocabularies have 16, and runs of blanks 128. */
const LONGEST_PIECE = 256;

/** The patterns that exported tokenizers search for. Others come from files that no export wrote, and may never end. */
const PATTERNS = new Set([" {2,}", "\\s+"]);

/** @throws {TypeError | RangeError} naming what is wrong. */
export function requireHarmless(file: unknown): asserts file is TokenizerFile {
  const { model, added_tokens: added, normalizer = null, pre_tokenizer: before = null } = fieldsOf(file, "it");
  const { vocab, unk_id: unknown } = fieldsOf(model, "its model");
  if (!Array.isArray(added)) throw new TypeError("it lists no added tokens");
  for (const token of added) {
    const { id, content } = fieldsOf(token, "one of its added tokens");
    if (!isId(id) || typeof content !== "string" || content === "") throw new TypeError("an added token is none");
  }
  if (Array.isArray(vocab)) {
    for (const entry of vocab) {
      const [piece, score] = Array.isArray(entry) ? entry : [];
      if (typeof piece !== "string" || !Number.isFinite(score))
        throw new TypeError("a piece of its vocabulary is none");
      requireShort(piece);
    }
    if (unknown !== undefined && unknown !== null && !(isId(unknown) && unknown < vocab.length)) {
      throw new RangeError("its unknown token lies outside the vocabulary");
    }
  } else {
    for (const [piece, id] of Object.entries(fieldsOf(vocab, "its vocabulary"))) {
      if (!isId(id)) throw new TypeError("a piece of its vocabulary has no number");
      requireShort(piece);
    }
  }
  for (const component of [normalizer, before]) if (component !== null) fieldsOf(component, "one of its components");
  requirePatterns(file);
}

function requireShort(piece: string): void {
  if (piece.length > LONGEST_PIECE) throw new RangeError(`a piece of its vocabulary has ${piece.length} letters`);
}

/** Looks for patterns wherever a file may have them; a vocabulary has none. */
function requirePatterns(value: unknown): void {
  const open = [value];
  while (open.length > 0) {
    const at = open.pop();
    if (typeof at !== "object" || at === null) continue;
    for (const [name, inner] of Object.entries(at)) {
      if (name === "Regex" && !PATTERNS.has(String(inner))) {
        throw new RangeError(`it searches for the pattern ${JSON.stringify(inner)}, which no export has`);
      }
      if (name !== "vocab" && name !== "merges") open.push(inner);
    }
  }
}

function fieldsOf(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new TypeError(`${what} is no object`);
}

function isId(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 31;
}
