/** Runs as files: what is saved of them, and what of it can be opened again. */
import * as z from "zod/mini";
import { CancelledError, ElfError } from "../../../flow/errors";
import type { Recipe } from "../../../flow/recipe";
import { recipeIn } from "../../../format/link";
import { type RecordedRun, readTrace, TraceError, writeTrace } from "../../../format/trace";
import { noteIn } from "../../../player/export/noteIn";
import type { Run } from "../runs/shelfRun";

/** A file that is neither a run nor a picture of one. */
export class RunFileError extends ElfError {
  readonly code = "run-file";
}

/**
 * What a file holds: runs, as they were written, each read when it is asked for, the newest first; or of a picture what writes
 * its run again.
 */
export type OpenedFile =
  | { readonly runs: readonly (() => RecordedRun)[] }
  | { readonly recipe: Recipe; readonly model: string };

/** Larger files than any shelf: nobody waits for the page to read a film. */
const MOST_BYTES = 300e6;

const shelfSchema = z.object({ "elf-playground-shelf": z.literal(1), runs: z.array(z.unknown()) });
const noteSchema = z.object({ "elf-playground": z.literal(1), model: z.string(), recipe: z.string() });

/** The run as a file that opens again, and that the command and the element read as well (`format/trace`). */
export function runAsFile(run: Run): string {
  return writeTrace(run, { title: run.modelTitle, tokens: { eos: run.eos } });
}

/** A file of a shelf, and how many runs are in it. */
export interface ShelfFile {
  readonly blob: Blob;
  readonly runs: number;
}

/** How a shelf becomes files. */
export interface ShelfWish {
  readonly signal?: AbortSignal;
  /** Called with the number of runs that have been looked at. */
  readonly onRun?: (done: number) => void;
  readonly most?: number;
}

/** Milliseconds of work after which the page may hear a press and be drawn. */
const AT_A_STRETCH = 30;

/**
 * Many runs as one file that opens again; as several, where one would be larger than is opened. What is no run, as a version
 * of the page or a disk may have left it, is left out.
 * @throws {CancelledError} `signal` said so.
 */
export async function* shelfAsFiles(runs: AsyncIterable<Run>, wish: ShelfWish = {}): AsyncGenerator<ShelfFile, void> {
  const { signal, onRun, most = MOST_BYTES } = wish;
  let parts: Blob[] = [];
  let bytes = 0;
  let done = 0;
  let since = performance.now();
  const file = () => ({
    blob: new Blob([SHELF_HEAD, ...parts.flatMap((part, i) => [i > 0 ? ",\n" : "", part]), SHELF_FOOT]),
    runs: parts.length,
  });
  for await (const run of runs) {
    // Runs whose frames are here come one after another without a moment between.
    if (performance.now() - since > AT_A_STRETCH) {
      await new Promise((resolve) => setTimeout(resolve));
      since = performance.now();
    }
    if (signal?.aborted) throw new CancelledError();
    const part = partOf(run);
    if (part && parts.length > 0 && bytes + part.size > 0.99 * most) {
      yield file();
      [parts, bytes] = [[], 0];
    }
    if (part) parts.push(part);
    bytes += part?.size ?? 0;
    onRun?.(++done);
  }
  if (parts.length > 0) yield file();
}

/** A run as a part of a file; null where it has no frame, or not what a run has. */
function partOf(run: Run): Blob | null {
  try {
    // As a blob, which a browser may keep elsewhere than in memory.
    return run.trajectory.frames.length > 0 ? new Blob([runAsFile(run).trim()]) : null;
  } catch {
    return null;
  }
}

const SHELF_HEAD = '{"elf-playground-shelf":1,"runs":[\n';
const SHELF_FOOT = "\n]}\n";

/**
 * Reads a file that was saved here, or by `elf-playground generate --trace`.
 * @throws {RunFileError} it is none, or too large; {TraceError} it is a run with a fault, which is named.
 */
export async function openFile(file: Blob): Promise<OpenedFile> {
  if (file.size > MOST_BYTES) {
    throw new RunFileError(`The file has ${Math.round(file.size / 1e6)} MB.`, "Open the file of a run.");
  }
  const bytes = new Uint8Array(await file.arrayBuffer());
  const isJson = /^\s*[[{]/.test(new TextDecoder().decode(bytes.subarray(0, 64)));
  return isJson ? { runs: runsIn(new TextDecoder().decode(bytes)) } : recipeOfPicture(bytes);
}

/** The runs of a file; each of a shelf is read when it is asked for, and throws then. */
function runsIn(text: string): (() => RecordedRun)[] {
  let shelf: ReturnType<typeof shelfSchema.safeParse> | null = null;
  try {
    shelf = shelfSchema.safeParse(JSON.parse(text));
  } catch (cause) {
    throw new TraceError("The file is cut, or no JSON.", "Save the run once more.", { cause });
  }
  if (shelf.success) return shelf.data.runs.map((run) => () => readTrace(JSON.stringify(run)));
  const run = readTrace(text);
  return [() => run];
}

function recipeOfPicture(bytes: Uint8Array): OpenedFile {
  const action = "Open a picture or a run that was saved on this page; other programs leave out what it says.";
  const text = noteIn(bytes);
  if (text === null) throw new RunFileError("This picture says of no run.", action);
  try {
    const { model, recipe: link } = noteSchema.parse(JSON.parse(text));
    const recipe = recipeIn(`#${link}`);
    if (recipe) return { recipe, model };
  } catch {
    // Said below: whatever is wrong with it, there is one thing to do.
  }
  throw new RunFileError("What this picture says of its run cannot be read.", action);
}
