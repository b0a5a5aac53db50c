import { NotCopiedError } from "../session/addressBar";
import type { Studio } from "../session/studio";

/** Copies a link and says that it is copied, or where it can be copied from. */
export function sayShared({ view, model, share }: Studio, hash: string, experiment: string | null, said: string): void {
  const { name, choice } = model.getState();
  // A model from elsewhere has no address that means the same to somebody else.
  const shipped = choice.kind === "shipped";
  const more = shipped ? "" : " Whoever opens it has to add this model first.";
  void share(hash, shipped ? name : null, experiment).then(
    () => view.getState().say(`${said}${more}`),
    (error) => view.getState().say(whereItIs(error)),
  );
}

function whereItIs(error: unknown): string {
  if (!(error instanceof NotCopiedError) || error.isInBar) {
    return "The link stands in the address bar, to be copied from there.";
  }
  return `This browser lets nothing be copied here. The link: ${error.href}`;
}
