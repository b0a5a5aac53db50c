import { ElfError } from "../flow/errors";
import { type Reader, readerOf } from "./tokenizer/reader";

/** A `tokenizer.json` that the tokenizers library cannot read, or a `tokenizer_config.json` that means nothing. */
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
  /** The text of the tokens, without the special ones (pad, eos, …); its spaces cleaned up where the model wants that. */
  decode(tokens: Iterable<number>): string;
}

/**
 * Builds a tokenizer from the text of a `tokenizer.json`, for a model of `vocabularySize` tokens. Asks no hub.
 * `config` is the text of the `tokenizer_config.json` beside it, undefined where there is none.
 * @throws {TokenizerError} the text is not a tokenizer, or the other no configuration.
 */
export async function createTokenizer(json: string, vocabularySize: number, config?: string): Promise<Tokenizer> {
  const cleansUp = cleansUpSpaces(config);
  // Loaded late: the library is large, and the page plays its recorded run without it.
  const library = await import("@huggingface/tokenizers");
  let tokenizer: InstanceType<typeof library.Tokenizer>;
  let reader: Reader | undefined;
  try {
    const file = JSON.parse(json);
    // Of the configuration the library gets this alone: whatever else it says is for other programs.
    tokenizer = new library.Tokenizer(file, { clean_up_tokenization_spaces: cleansUp });
    reader = readerOf(file);
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
    // The library's own way is for tokenizers that `elf export` refuses, in folders that it did not write.
    encode: reader ?? ((text) => tokenizer.encode(text, { add_special_tokens: false }).ids),
    decode: (tokens) => {
      const ids = [...tokens];
      // The library refuses to read nothing.
      if (ids.length === 0) return "";
      return tokenizer.decode(ids, { skip_special_tokens: true });
    },
  };
}

/**
 * Whether spaces before punctuation and contractions are taken out of text. Where nothing says so they are, as by
 * transformers up to 4.44 and in Python (`clean_up.py`).
 */
function cleansUpSpaces(config: string | undefined): boolean {
  if (config === undefined) return true;
  try {
    const { clean_up_tokenization_spaces: value = true }: Record<string, unknown> = JSON.parse(config);
    if (typeof value !== "boolean") throw new TypeError(`clean_up_tokenization_spaces is ${JSON.stringify(value)}`);
    return value;
  } catch (cause) {
    throw new TokenizerError(
      `tokenizer_config.json cannot be read: ${cause instanceof Error ? cause.message : String(cause)}.`,
      "Export the model again with `elf export`.",
      { cause },
    );
  }
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
