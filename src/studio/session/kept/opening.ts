import type { StoreApi } from "zustand/vanilla";
import { problemOf } from "../../../flow/errors";
import type { Recipe } from "../../../flow/recipe";
import type { RecordedRun } from "../../../format/trace";
import { ScriptPartError } from "../../../player/errors";
import type { Words } from "../../words/english";
import type { ModelStore } from "../models/model";
import { runOfRecipe } from "../runs/family";
import type { RunsStore } from "../runs/runs";
import { type Run, runFromFile } from "../runs/shelfRun";
import type { ViewStore } from "../view";
import type { GenerationStore } from "../writing/generation";
import type { OpenedFile } from "./files";

export interface OpeningParts {
  readonly runs: StoreApi<RunsStore>;
  readonly model: StoreApi<ModelStore>;
  readonly generation: StoreApi<GenerationStore>;
  readonly view: StoreApi<ViewStore>;
  readonly words: StoreApi<Words>;
  readonly newId: () => string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly save: (run: Run) => Promise<void>;
  /** Puts a run of the shelf onto the stage, to be seen there. */
  readonly show: (id: string) => void;
  /** Shows a run of the chosen model where it is on the shelf, and offers it where it is not. */
  readonly openRecipe: (recipe: Recipe) => void;
}

/** What opens files of runs, or pictures of them. It never rejects: what is wrong with a file becomes a problem. */
export function createOpening(parts: OpeningParts): (files: readonly Blob[]) => Promise<void> {
  const { runs, model, generation, view, words, newId, now, save, show, openRecipe } = parts;
  /** When the run came that came last. */
  let last = 0;

  /**
   * Puts runs that come from elsewhere onto the shelf, as many as can be read, and the first of them onto the stage: a file
   * has the newest first, as the shelf that it was saved from, and so they come from its end.
   * @throws what is wrong with the first of those that cannot be read.
   */
  async function receiveAll(readers: Extract<OpenedFile, { runs: unknown }>["runs"]): Promise<void> {
    let first: string | undefined;
    const faults: unknown[] = [];
    for (const read of readers.toReversed()) {
      try {
        first = await receive(read());
      } catch (fault) {
        faults.push(fault);
      }
    }
    if (first !== undefined) show(first);
    if (faults.length > 0) throw faults.at(-1);
  }

  /** Puts a run onto the shelf, and gives its id; one that is there already is not put there twice. */
  async function receive(recording: RecordedRun): Promise<string> {
    const { trajectory } = recording;
    const here = runOfRecipe(trajectory, trajectory.model, runs.getState().runs, trajectory.frames.length);
    if (here) return here.id;
    // Of several that come within a millisecond, too, the last is the newest.
    last = Math.max(now(), last + 1);
    const run = runFromFile(newId(), recording, last);
    runs.getState().add(run);
    await save(run);
    return run.id;
  }

  function openPicture({ recipe, model: name }: Extract<OpenedFile, { recipe: unknown }>): void {
    if (name === model.getState().name) openRecipe(recipe);
    else view.getState().say(words.getState().said.otherModel(name));
  }

  return async (files) => {
    for (const file of files) {
      try {
        const { openFile } = await filesPart();
        const opened = await openFile(file);
        if ("runs" in opened) await receiveAll(opened.runs);
        else openPicture(opened);
      } catch (error) {
        generation.getState().raise(problemOf(error));
      }
    }
  };
}

/** Fetched when the first file is opened; where that fails, some browsers fetch it again in a page loaded anew only. */
async function filesPart() {
  try {
    return await import("./files");
  } catch (cause) {
    throw new ScriptPartError(
      "The part of the script that reads files did not come.",
      "Reload the page, and open the file again.",
      { cause },
    );
  }
}
