import { CancelledError, isCancellation, problemOf } from "../../../flow/errors";
import type { Words } from "../../words/english";
import type { Run } from "../runs/shelfRun";
import { shelfAsFiles } from "./files";
import type { Folding } from "./folding";

export interface SavingParts {
  readonly folding: Pick<Folding, "whole">;
  readonly words: Pick<Words, "said">;
  readonly signal: AbortSignal;
  /** Called with the number of runs that have been looked at. */
  readonly onRun: (done: number) => void;
  readonly saveAs: (blob: Blob, name: string) => void;
}

/** Saves runs as files. Never rejects: gives what is to be said of it, and null where `signal` has ended it. */
export async function saveShelf(runs: readonly Run[], parts: SavingParts): Promise<string | null> {
  const { folding, signal, onRun, saveAs } = parts;
  const { said } = parts.words;
  const names: string[] = [];
  let saved = 0;
  try {
    for await (const file of shelfAsFiles(folding.whole(runs), { signal, onRun })) {
      if (signal.aborted) throw new CancelledError();
      const name = `elf-playground-runs${names.length > 0 ? `-${names.length + 1}` : ""}.json`;
      saveAs(file.blob, name);
      names.push(name);
      saved += file.runs;
    }
  } catch (error) {
    const { message, action } = problemOf(error);
    return isCancellation(error) ? null : said.notSaved(`${message} ${action}`);
  }
  const lack = saved < runs.length ? said.leftOut(runs.length - saved) : "";
  if (names.length === 0) return said.notSaved(lack);
  return [said.saved(names.join(", ")), lack].join(" ").trim();
}
