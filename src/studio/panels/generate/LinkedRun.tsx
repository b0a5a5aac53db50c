import { useStore } from "zustand";
import { type Recipe, rootOf } from "../../../flow/recipe";
import { describeSettings } from "../../../player/run/settingsInWords";
import { writeLinked } from "../../actions/writing";
import { useStudio } from "../StudioContext";
import { Notice } from "../ui/Notice";
import { useAction } from "../ui/useAction";
import styles from "./LinkedRun.module.css";

/** A run that the page's address tells of, which nobody has written here yet. */
export function LinkedRun() {
  const studio = useStudio();
  const linked = useStore(studio.view, ({ linked }) => linked);
  const write = useAction(writeLinked);
  if (!linked) return null;
  const { recipe, experiment } = linked;
  const { prompt } = rootOf(recipe);
  return (
    <Notice
      tone="offer"
      aria-label="Run of this link"
      data-testid="linked"
      ways={
        <>
          <button {...write}>Write it</button>
          <button type="button" onClick={() => studio.view.getState().offer(null)}>
            Leave it
          </button>
        </>
      }
    >
      <p>
        <b>{experiment ? `This link tells of an experiment: ${experiment.title}.` : "This link tells of a run."}</b>{" "}
        <span>{`${describeSettings(recipe.settings)}${describeChain(recipe)}`}</span>
      </p>
      {prompt && (
        <p className={styles.linkedPrompt} translate="no">
          {"text" in prompt ? prompt.text : prompt.ids.join(", ")}
        </p>
      )}
    </Notice>
  );
}

function describeChain({ from, held = [] }: Recipe): string {
  const words = held.length === 1 ? "1 word" : `${held.length} words`;
  return [
    from ? `, from step ${from.step} of another run` : "",
    from?.run.from ? " that goes on from one itself" : "",
    held.length > 0 ? `, ${words} held` : "",
    ".",
  ].join("");
}
