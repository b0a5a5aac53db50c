import { recipeOf } from "../../flow/recipe";
import { linkTo } from "../../format/link";
import { NotCopiedError } from "../addressBar";
import { selectedRun } from "../stores/runs";
import type { Action } from "./action";

export const copyLink: Action = {
  id: "copy-link",
  label: "Copy a link to the run shown; it tells how to write it",
  group: "View",
  shortcuts: [{ key: "s" }],
  enabled: ({ runs, model }) => selectedRun(runs.getState())?.trajectory.model === model.getState().name,
  run: ({ runs, view, model, share }) => {
    const run = selectedRun(runs.getState());
    if (!run) return;
    const { name, choice } = model.getState();
    // A model from elsewhere has no address that means the same to somebody else.
    const shipped = choice.baseUrl.endsWith(`models/${name}/`);
    const more = shipped ? "" : " Whoever opens it has to add this model first.";
    void share(linkTo(recipeOf(run.trajectory)), shipped ? name : null).then(
      () => view.getState().say(`The link is copied. It tells how this run is written, and no more.${more}`),
      (error) => view.getState().say(whereItIs(error)),
    );
  },
};

function whereItIs(error: unknown): string {
  if (!(error instanceof NotCopiedError) || error.isInBar) {
    return "The link stands in the address bar, to be copied from there.";
  }
  return `This browser lets nothing be copied here. The link: ${error.href}`;
}
