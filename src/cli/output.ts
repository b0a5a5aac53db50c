/** The files that a run leaves: looked at before it, which takes its time, and written once its text is out. */
import { accessSync, constants, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { ElfError } from "../flow/errors";
import { UsageError } from "./options";

/** A file of the command that could not be written, as on a full disk. What was printed stands. */
export class OutputError extends ElfError {
  readonly code = "output";
}

/** @throws {UsageError} nothing can be written there. */
export function checkOutput(file: string): void {
  let isFolder = false;
  try {
    const there = statSync(file, { throwIfNoEntry: false });
    isFolder = there?.isDirectory() ?? false;
    accessSync(there ? file : dirname(file), constants.W_OK);
  } catch (cause) {
    throw new UsageError(
      `${file} cannot be written: ${(cause as Error).message}.`,
      "Name a file in a folder that is there.",
      { cause },
    );
  }
  if (isFolder) throw new UsageError(`${file} is a folder.`, "Name a file in it.");
}

/** @throws {OutputError} it cannot be written after all. */
export function writeOutput(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (cause) {
    throw new OutputError(
      `${file} could not be written: ${(cause as Error).message}.`,
      "Make room, or name another file, and run it again: the same seed writes the same text.",
      { cause },
    );
  }
}
