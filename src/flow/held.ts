/**
 * Tokens that a person wants at certain places of the text, as a clamp holds them. A clamp holds embeddings, and those of
 * a contextual encoder depend on the neighbours, so what is known of these is shown to it.
 */
import type { Fixed } from "./clamp";
import { ConditionError } from "./errors";
import { type Encoder, HIDDEN, type Source } from "./network";

/** A token held at a place of the text. */
export interface HeldToken {
  /** Counted from the first token after the prompt, from 0. */
  readonly position: number;
  readonly token: number;
}

/**
 * Checks held tokens for a text of at most `room` tokens.
 * @throws {ConditionError} a place outside the text or held twice, or a token that the model does not have.
 */
export function checkHeld(held: readonly HeldToken[], room: number, vocabularySize: number): void {
  const seen = new Set<number>();
  for (const { position, token } of held) {
    if (!isIndex(position, room) || seen.has(position)) {
      throw new ConditionError(
        // Counted from 1, as people do where they hold words.
        `No token can be held at position ${position + 1}${seen.has(position) ? " twice" : ""}.`,
        `Hold each position at most once, from 1 to ${room}; let the others go, or give a greater length.`,
      );
    }
    if (!isIndex(token, vocabularySize)) {
      throw new ConditionError(
        `A position is held to the token ${String(token)}, which this model does not have.`,
        `Give integers from 0 to ${vocabularySize - 1}.`,
      );
    }
    seen.add(position);
  }
}

/** Those of `held` that are not among `before`, in their order. */
export function newlyHeld(held: readonly HeldToken[], before: readonly HeldToken[]): HeldToken[] {
  return held.filter(({ position, token }) => !before.some((old) => old.position === position && old.token === token));
}

/**
 * Encodes the tokens `wanted` of a text that begins with the prompt `source`. The encoder sees the prompt, every token of
 * `held` at its place and, where it is known, the rest of the text (`around`, from the first token after the prompt);
 * what is not known is hidden from it.
 * @returns their latents, at their positions in the run.
 */
export async function encodeHeld(
  encoder: Encoder,
  wanted: readonly HeldToken[],
  { held, source = [], around = [] }: { held: readonly HeldToken[]; source?: Source; around?: ArrayLike<number> },
): Promise<Fixed[]> {
  if (wanted.length === 0) return [];
  const last = Math.max(...held.map(({ position }) => position));
  const text = Array.from({ length: Math.max(around.length, last + 1) }, (_, position) => around[position] ?? HIDDEN);
  for (const { position, token } of held) text[position] = token;
  const whole = [...source, ...text];
  const [latents] = await encoder.encode([whole]);
  if (!latents) throw new Error("The encoder gave nothing.");
  const width = latents.length / whole.length;
  return wanted.map(({ position }) => {
    const at = source.length + position;
    return { row: 0, position: at, latent: latents.slice(at * width, (at + 1) * width) };
  });
}

function isIndex(value: number, count: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < count;
}
