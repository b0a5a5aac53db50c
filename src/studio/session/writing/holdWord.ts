import type { Source } from "../../../flow/network";
import { roomOf, rootOf } from "../../../flow/recipe";
import { tokenName } from "../../../player/run/pieces";
import type { ShownRun } from "../../../player/run/run";
import type { Studio } from "../studio";
import { idsOf, readsText } from "./prompt";

/**
 * Holds a typed word at a place of a run's text, for the next run: its tokens stand there and at the places that follow.
 * A model that is not loaded yet is loaded first, for only its tokenizer knows the word's tokens.
 * @returns what is wrong with the word, in words for the person; null if it is held.
 */
export async function holdWord(studio: Studio, run: ShownRun, position: number, typed: string): Promise<string | null> {
  const word = typed.trim();
  const { holding: words, player } = studio.words.getState();
  if (word === "") return words.nothing;
  if (!studio.model.getState().loaded && studio.generation.getState().phase === "idle") {
    await studio.generation.getState().prepare();
  }
  const { loaded } = studio.model.getState();
  if (!loaded) return words.notLoaded;
  const { manifest, pieces } = loaded;
  if (manifest.name !== run.trajectory.model) return words.otherModel;

  let tokens: Source | null;
  if (readsText(manifest)) tokens = pieceInPlace(word, run, position, pieces) ?? (await studio.tokenize(word));
  else tokens = idsOf(word);
  const { vocabularySize } = manifest.architecture;
  if (!tokens || tokens.some((token) => token >= vocabularySize)) {
    return words.numbers(vocabularySize - 1);
  }
  if (tokens.length === 0) return words.unknown;
  const room = roomOf(run.trajectory.settings.length, rootOf(run.trajectory).prompt ? 1 : 0, manifest.architecture);
  if (position + tokens.length > room) return words.noRoom(tokens.length);
  studio.draft.getState().hold(
    tokens.map((token, i) => ({
      position: position + i,
      token,
      word: tokenName(token, pieces, manifest.tokens.eos, player),
    })),
  );
  return null;
}

/** Where the token now in place continues a word or is a sign, what was typed may be one just like it. */
function pieceInPlace(word: string, run: ShownRun, position: number, pieces: readonly string[]): Source | undefined {
  const last = run.trajectory.frames.at(-1)?.holds.tokens[position];
  const piece = last === undefined ? "" : (run.pieces[last] ?? "");
  if (position === 0 || piece.startsWith("▁")) return undefined;
  const token = pieces.indexOf(word);
  return token < 0 ? undefined : [token];
}
