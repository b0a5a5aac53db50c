import { ElfError } from "../flow/errors";
import { requireHarmless } from "./tokenizer/harmless";
import { readerOf } from "./tokenizer/reader";

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
  const { tokenizer, reader } = named("tokenizer.json", () => {
    const file: unknown = JSON.parse(json);
    requireHarmless(file);
    return {
      // Of the configuration the library gets this alone: whatever else it says is for other programs.
      tokenizer: new library.Tokenizer(file, { clean_up_tokenization_spaces: cleansUp }),
      reader: readerOf(file),
    };
  });
  const pieces = new Array<string>(vocabularySize).fill("");
  for (const [piece, id] of tokenizer.get_vocab()) if (id < vocabularySize) pieces[id] = piece;
  return {
    pieces,
    // The library's own way is for tokenizers that `elf export` refuses, in folders that it did not write.
    encode: (text) =>
      named("tokenizer.json", () =>
        reader ? reader(text) : tokenizer.encode(text, { add_special_tokens: false }).ids,
      ),
    decode: (tokens) => {
      const ids = [...tokens];
      // The library refuses to read nothing.
      if (ids.length === 0) return "";
      return named("tokenizer.json", () => tokenizer.decode(ids, { skip_special_tokens: true }));
    },
  };
}

/** What `use` gives; what goes wrong in it has a name, as the library looks at most of its file only where it needs it. */
function named<T>(file: string, use: () => T): T {
  try {
    return use();
  } catch (cause) {
    const words = cause instanceof Error ? cause.message : String(cause);
    throw new TokenizerError(
      `${file} cannot be read: ${words.slice(0, 300)}.`,
      "Export the model again with `elf export`.",
      {
        cause,
      },
    );
  }
}

/**
 * Whether spaces before punctuation and contractions are taken out of text. Where nothing says so they are, as by
 * transformers up to 4.44 and in Python (`tokenizer_json.py`).
 */
function cleansUpSpaces(config: string | undefined): boolean {
  if (config === undefined) return true;
  return named("tokenizer_config.json", () => {
    const { clean_up_tokenization_spaces: value = true }: Record<string, unknown> = JSON.parse(config);
    if (typeof value !== "boolean") throw new TypeError(`clean_up_tokenization_spaces is ${JSON.stringify(value)}`);
    return value;
  });
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
