import { ElfError } from "../flow/errors";

/** A `tokenizer.json` that the tokenizers library cannot read. */
export class TokenizerError extends ElfError {
  readonly code = "tokenizer";
}

/** Token ids and text. */
export interface Tokenizer {
  /** The piece of each id, as the tokenizer spells it (`▁` marks a space before); `""` for ids it does not know. */
  readonly pieces: readonly string[];
  /**
   * The tokens of a text, without special ones.
   * @throws {TokenizerError} the model has no tokenizer.
   */
  encode(text: string): number[];
  /** The text of the tokens, without the special ones (pad, eos, …). */
  decode(tokens: Iterable<number>): string;
}

/**
 * Builds a tokenizer from the text of a `tokenizer.json`, for a model of `vocabularySize` tokens. Asks no hub.
 * @throws {TokenizerError} the text is not a tokenizer.
 */
export async function createTokenizer(json: string, vocabularySize: number): Promise<Tokenizer> {
  // Loaded late: the library is large, and the page plays its recorded run without it.
  const { PreTrainedTokenizer } = await import("@huggingface/transformers");
  let tokenizer: InstanceType<typeof PreTrainedTokenizer>;
  try {
    tokenizer = new PreTrainedTokenizer(JSON.parse(json), {});
  } catch (cause) {
    throw new TokenizerError(
      `tokenizer.json cannot be read: ${cause instanceof Error ? cause.message : String(cause)}.`,
      "Export the model again with `elf export`.",
      { cause },
    );
  }
  const pieces = new Array<string>(vocabularySize).fill("");
  for (const [piece, id] of tokenizer.get_vocab()) if (id < vocabularySize) pieces[id] = piece;
  return {
    pieces,
    encode: (text) => tokenizer.encode(text, { add_special_tokens: false }),
    decode: (tokens) => {
      const ids = [...tokens];
      // The library refuses to read nothing.
      if (ids.length === 0) return "";
      return tokenizer.decode(ids, { skip_special_tokens: true, clean_up_tokenization_spaces: false }).trim();
    },
  };
}

/** Stands in where a model has no tokenizer: writes each token as its number. */
export function numberTokenizer(vocabularySize: number): Tokenizer {
  return {
    pieces: Array.from({ length: vocabularySize }, (_, id) => `▁${id}`),
    encode: () => {
      throw new TokenizerError(
        "This model has no tokenizer, so it cannot read a text.",
        "Give the numbers of its tokens.",
      );
    },
    decode: (tokens) => [...tokens].join(" "),
  };
}
