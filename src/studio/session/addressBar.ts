import { addressWithoutModel, addressWithoutRun } from "./address";
import { modelsOf } from "./experiments/comparison";
import type { Studio } from "./studio";

/** What of a window shares an address; tests bring their own. */
export interface SharingWindow {
  readonly history: Pick<History, "replaceState">;
  readonly navigator: { readonly clipboard?: Pick<Clipboard, "writeText"> };
  readonly document: Document;
  readonly top: unknown;
}

/** A link that the browser did not let be copied. */
export class NotCopiedError extends Error {
  constructor(
    readonly href: string,
    /** Whether it stands in the address bar, where a person can copy it. */
    readonly isInBar: boolean,
  ) {
    super("The browser lets this page copy nothing.");
  }
}

/** Puts an address into the address bar. False where the browser forbids it: in frames of other sites, and when asked too often. */
export function showAddress(href: string, page: Pick<SharingWindow, "history"> = window): boolean {
  try {
    page.history.replaceState(null, "", href);
    return true;
  } catch {
    return false;
  }
}

/**
 * Takes out of the address bar what a turn to another model makes untrue: the model, and the run and experiment that are of the one
 * before. The page would offer them to this one when it is opened once more.
 */
export function followTurns(
  { model, comparison }: Pick<Studio, "model" | "comparison">,
  page: Pick<SharingWindow, "history"> & { readonly location: Pick<Location, "href"> } = window,
): void {
  model.subscribe((now, before) => {
    if (now.choice === before.choice) return;
    const bare = addressWithoutModel(page.location.href);
    // The model of the last visit comes before any has been opened; and what is written by several turns and comes back.
    const isFirst = before.manifest === null;
    const { shown } = comparison.getState();
    const isTurn = now.name !== before.name && !isFirst && !(shown && modelsOf(shown).has(now.name));
    showAddress(isTurn ? addressWithoutRun(bare) : bare, page);
  });
}

/**
 * Puts an address into the address bar and onto the clipboard.
 * @throws {NotCopiedError} it is not on the clipboard.
 */
export async function shareAddress(href: string, page: SharingWindow = window): Promise<void> {
  const isShown = showAddress(href, page);
  if (await copied(href, page)) return;
  // The address bar is the topmost page's: from that of a frame nobody can copy.
  throw new NotCopiedError(href, isShown && page.top === page);
}

/**
 * Puts a text onto the clipboard.
 * @throws {NotCopiedError} it is not there.
 */
export async function copyText(text: string, page: SharingWindow = window): Promise<void> {
  if (!(await copied(text, page))) throw new NotCopiedError(text, false);
}

/** By the clipboard where the page has one, else by the old command, which plain http and frames have as well. */
async function copied(text: string, page: SharingWindow): Promise<boolean> {
  try {
    const { clipboard } = page.navigator;
    if (!clipboard) return copiedByCommand(text, page.document);
    await clipboard.writeText(text);
    return true;
  } catch {
    return copiedByCommand(text, page.document);
  }
}

function copiedByCommand(text: string, document: Document): boolean {
  const field = document.createElement("textarea");
  try {
    field.value = text;
    field.readOnly = true;
    field.style.position = "fixed";
    field.style.opacity = "0";
    const focused = document.activeElement;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    if (focused instanceof HTMLElement) focused.focus();
    return done;
  } catch {
    return false;
  } finally {
    field.remove();
  }
}
