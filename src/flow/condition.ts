/**
 * The condition of a run: embeddings of a prompt that the front of each sequence holds from noise to text (spec
 * section 3). The flow restores them before every pass and after every update, so on those positions nothing moves.
 */
import { ConditionError } from "./errors";
import type { Encoder, Source } from "./network";

export interface Condition {
  /** The embeddings of each row's source at its front, 0 behind them; (B, L, D) row-major. */
  readonly latents: Float32Array;
  /** Number of positions each row holds; (B). */
  readonly lengths: readonly number[];
  /** D */
  readonly latentSize: number;
}

/**
 * What x̂ holds at the condition's places where there is none yet, as the model was trained: the condition, as the official
 * code has it, or zero.
 */
export type SelfCondStart = "condition" | "zero";

/** What a model can be told before it writes. */
export interface SourceLimits {
  /** Most tokens of a prompt; 0 for a model that takes none. */
  readonly maxInputLength: number;
  /** Whether it also writes without a prompt, though it takes them. */
  readonly sourceOptional: boolean;
  readonly vocabularySize: number;
}

/**
 * Checks the prompts of a run of `batch` rows of `length` positions: one for each row, or one for all of them; none for
 * a model that takes none, or may do without.
 * @throws {ConditionError} a prompt that the model cannot read or that leaves no room to write, or a wrong number of them.
 */
export function checkSources(
  sources: readonly Source[],
  batch: number,
  length: number,
  { maxInputLength, sourceOptional, vocabularySize }: SourceLimits,
): void {
  if (maxInputLength === 0) {
    if (sources.length === 0) return;
    throw new ConditionError("This model takes no prompt.", "Run it without one, or choose a conditional model.");
  }
  if (sources.length === 0 && sourceOptional) return;
  if (sources.length === 0) throw new ConditionError("This model needs a prompt.", "Give it a text to write to.");
  if (sources.length !== 1 && sources.length !== batch) {
    throw new ConditionError(
      `There are ${sources.length} prompts for a batch of ${batch}.`,
      "Give one prompt for each sample, or one for all.",
    );
  }
  for (const [i, source] of sources.entries()) {
    const name = sources.length === 1 ? "The prompt" : `Prompt ${i + 1}`;
    if (source.length === 0)
      throw new ConditionError(`${name} is empty.`, "Give it at least one token, or leave it out.");
    if (source.length > maxInputLength) {
      throw new ConditionError(
        `${name} has ${source.length} tokens.`,
        `This model reads at most ${maxInputLength}; give a shorter one.`,
      );
    }
    if (source.length >= length) {
      throw new ConditionError(
        `${name} has ${source.length} tokens, which leaves no room in a length of ${length}.`,
        "Give a greater length, or a shorter prompt.",
      );
    }
    const stranger = source.findIndex((id) => !Number.isInteger(id) || id < 0 || id >= vocabularySize);
    if (stranger >= 0) {
      throw new ConditionError(
        `${name} names the token ${String(source[stranger])}, which this model does not have.`,
        `Give integers from 0 to ${vocabularySize - 1}.`,
      );
    }
  }
}

/** Encodes prompts that have been checked (`checkSources`) into the condition of a run; undefined where there are none. */
export async function encodeCondition(
  encoder: Encoder,
  sources: readonly Source[],
  shape: { readonly batch: number; readonly length: number; readonly latentSize: number },
): Promise<Condition | undefined> {
  if (sources.length === 0) return undefined;
  const encoded = await encoder.encode(sources);
  const { batch, length, latentSize } = shape;
  const latents = new Float32Array(batch * length * latentSize);
  const lengths: number[] = [];
  for (let row = 0; row < batch; row++) {
    const own = encoded[sources.length === 1 ? 0 : row] as Float32Array;
    latents.set(own, row * length * latentSize);
    lengths.push(own.length / latentSize);
  }
  return { latents, lengths, latentSize };
}

/** `array` (B, L, D) with the condition at its held positions; itself where there is no condition. */
export function hold(array: Float32Array, condition: Condition | undefined): Float32Array {
  if (!condition) return array;
  const held = new Float32Array(array);
  for (const [from, to] of fronts(condition)) held.set(condition.latents.subarray(from, to), from);
  return held;
}

/** What stands for x̂ (B, L, D), `count` numbers, where there is none: at the start of a run, and in passes without it. */
export function noPrediction(count: number, condition: Condition | undefined, start: SelfCondStart): Float32Array {
  const nothing = new Float32Array(count);
  return start === "condition" ? hold(nothing, condition) : nothing;
}

/** `array` (B, L, D) with 0 at the held positions; itself where there is no condition. */
export function hide(array: Float32Array, condition: Condition | undefined): Float32Array {
  if (!condition) return array;
  const hidden = new Float32Array(array);
  for (const [from, to] of fronts(condition)) hidden.fill(0, from, to);
  return hidden;
}

/** Where each row's held positions begin and end in a (B, L, D) array. */
function fronts({ latents, lengths, latentSize }: Condition): readonly (readonly [number, number])[] {
  const size = latents.length / lengths.length;
  return lengths.map((length, row) => [row * size, row * size + length * latentSize]);
}
