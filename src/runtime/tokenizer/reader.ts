/**
 * Which tokenizers are read by this project's own code, as the reference of each reads them, and not by the library:
 * its white space and normal forms are JavaScript's, which differ. `elf export` refuses all others (Python's
 * `elf.data.tokenizer`, which must know the same).
 */
import { SentencePiece, SPACE } from "./sentencePiece";
import { type SpecialToken, SpecialTokens } from "./specialTokens";
import { SqueezedNfkc } from "./squeezedNfkc";

/** The content of a `tokenizer.json`, as far as it is looked at. */
export interface TokenizerFile {
  readonly normalizer: Component | null;
  readonly pre_tokenizer: Component | null;
  readonly model: {
    readonly type?: string;
    readonly vocab: readonly (readonly [string, number])[];
    readonly unk_id?: number | null;
    readonly byte_fallback?: boolean;
  };
  readonly added_tokens: readonly (SpecialToken & {
    readonly special: boolean;
    readonly normalized: boolean;
    readonly single_word: boolean;
  })[];
}

interface Component {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** The tokens of a text, without special ones at its ends. */
export type Reader = (text: string) => number[];

/** A reader of the tokenizer; undefined where this project has none of its own. */
export function readerOf(file: TokenizerFile): Reader | undefined {
  const { model, added_tokens: added } = file;
  const { vocab: vocabulary, unk_id: unknown } = model;
  const usual = added.every(({ special, normalized, single_word }) => special && !normalized && !single_word);
  if (model.type !== "Unigram" || model.byte_fallback || typeof unknown !== "number" || !usual) return undefined;
  const specials = new SpecialTokens(added);
  const charsmap = sentencePieceCharsmap(file);
  if (charsmap !== undefined) {
    const names = new Set(added.map(({ content }) => content));
    const without = new Set(vocabulary.flatMap(([piece], id) => (names.has(piece) || id === unknown ? [id] : [])));
    const pieces = new SentencePiece(charsmap, { vocabulary, unknown, without });
    return (text) => specials.read(text, (part) => pieces.encode(part));
  }
  if (isSqueezedNfkc(file)) {
    const words = new SqueezedNfkc({ vocabulary, unknown });
    return (text) => specials.read(text, (part) => words.encode(part));
  }
  return undefined;
}

/** SentencePiece's table, empty where it has none; undefined for a file that does not do what SentencePiece does. */
function sentencePieceCharsmap({ normalizer, pre_tokenizer }: TokenizerFile): string | undefined {
  let charsmap = "";
  let isSqueezed = false;
  for (const [number, step] of steps(normalizer, "normalizers").entries()) {
    if (step.type === "Precompiled" && number === 0) charsmap = String(step.precompiled_charsmap ?? "");
    else if (isRegex(step, " {2,}", SPACE) || isRegex(step, " {2,}", " ")) isSqueezed = true;
    else if (step.type !== "Strip" || step.strip_right !== true) return undefined;
  }
  const before = steps(pre_tokenizer, "pretokenizers");
  if (before[0]?.type === "WhitespaceSplit") {
    isSqueezed = true;
    before.shift();
  }
  return isSqueezed && before.length === 1 && isMetaspace(before[0]) ? charsmap : undefined;
}

function isSqueezedNfkc({ normalizer, pre_tokenizer }: TokenizerFile): boolean {
  const [form, spaces, ends, ...more] = steps(normalizer, "normalizers");
  const before = steps(pre_tokenizer, "pretokenizers");
  return (
    form?.type === "NFKC" &&
    isRegex(spaces, "\\s+", " ") &&
    ends?.type === "Strip" &&
    ends.strip_left === true &&
    ends.strip_right === true &&
    more.length === 0 &&
    before.length === 1 &&
    isMetaspace(before[0]) &&
    before[0]?.split !== false
  );
}

function isRegex(step: Component | undefined, pattern: string, content: string): boolean {
  const found = step?.type === "Replace" ? (step.pattern as { Regex?: string } | undefined) : undefined;
  return found?.Regex === pattern && step?.content === content;
}

/** Whether each part of a text between special tokens begins with a mark for a space. */
function isMetaspace(step: Component | undefined): boolean {
  if (step?.type !== "Metaspace" || step.replacement !== SPACE) return false;
  // Files of older versions say it in the second way.
  return "prepend_scheme" in step ? step.prepend_scheme === "always" : step.add_prefix_space !== false;
}

/** A component, or those it is made of. */
function steps(component: Component | null, name: "normalizers" | "pretokenizers"): Component[] {
  if (component === null) return [];
  if (component.type !== "Sequence") return [component];
  return (component[name] as Component[]).flatMap((each) => steps(each, name));
}
