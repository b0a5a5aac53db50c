import { ScriptPartError } from "../player/errors";

export type LaterPart = typeof import("./later");
let later: Promise<LaterPart> | undefined;

/**
 * The part of the script that has the engine, fetched when it is first wanted; whoever asks first gets it first.
 * @throws {ScriptPartError} it did not come. Asked again, it is fetched again by browsers that do not keep what failed.
 */
export async function laterPart(): Promise<LaterPart> {
  later ??= import("./later");
  try {
    return await later;
  } catch (cause) {
    later = undefined;
    throw new ScriptPartError(
      `A part of the script did not come: ${cause instanceof Error ? cause.message : String(cause)}`,
      "Reload the page: some browsers ask for it only once in a page. The folder of elf-playground.js has to lie whole where it is served from, under a policy that lets its scripts run.",
      { cause },
    );
  }
}
