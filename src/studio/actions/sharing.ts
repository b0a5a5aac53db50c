import { NotCopiedError } from "../session/addressBar";
import type { Studio } from "../session/studio";
import type { Words } from "../words/english";

/** Copies a link and says that it is copied, or where it can be copied from. */
export function sayShared(studio: Studio, hash: string, experiment: string | null, said: string): void {
  const { view, model, share } = studio;
  const words = studio.words.getState().said;
  const { name, choice } = model.getState();
  // A model from elsewhere has no address that means the same to somebody else.
  const shipped = choice.kind === "shipped";
  void share(hash, shipped ? name : null, experiment).then(
    () => view.getState().say(shipped ? said : `${said} ${words.addModelFirst}`),
    (error) => view.getState().say(whereItIs(error, words)),
  );
}

function whereItIs(error: unknown, words: Words["said"]): string {
  if (!(error instanceof NotCopiedError) || error.isInBar) {
    return words.linkInBar;
  }
  return words.linkNotCopied(error.href);
}
