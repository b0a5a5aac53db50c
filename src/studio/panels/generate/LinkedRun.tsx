import { useStore } from "zustand";
import { type Recipe, rootOf } from "../../../flow/recipe";
import { describeSettings } from "../../../player/run/settingsInWords";
import { writeLinked } from "../../actions/writing";
import type { Words } from "../../words/english";
import { useStudio, useWords } from "../StudioContext";
import { Notice } from "../ui/Notice";
import { useAction } from "../ui/useAction";
import styles from "./LinkedRun.module.css";

/** A run of the chosen model that the page's address tells of, which nobody has written here yet. */
export function LinkedRun() {
  const studio = useStudio();
  const words = useWords();
  const linked = useStore(studio.view, ({ linked }) => linked);
  const model = useStore(studio.model, ({ name }) => name);
  const write = useAction(writeLinked);
  if (linked?.model !== model) return null;
  const { recipe, experiment } = linked;
  const { prompt } = rootOf(recipe);
  return (
    <Notice
      tone="offer"
      aria-label={words.generate.linked}
      data-testid="linked"
      ways={
        <>
          <button {...write}>{words.generate.write}</button>
          <button type="button" onClick={() => studio.view.getState().offer(null)}>
            {words.generate.leave}
          </button>
        </>
      }
    >
      <p>
        <b>{experiment ? words.generate.linkedExperiment(experiment.title(words)) : words.generate.linkedRun}</b>{" "}
        <span>{`${describeSettings(recipe, words.player)}${describeChain(recipe, words.generate)}`}</span>
      </p>
      {prompt && (
        <p className={styles.linkedPrompt} translate="no" lang={studio.player.textLanguage}>
          {"text" in prompt ? prompt.text : prompt.ids.join(", ")}
        </p>
      )}
    </Notice>
  );
}

function describeChain({ from, held = [] }: Recipe, words: Words["generate"]): string {
  return [
    from ? `, ${words.fromStep(from.step)}` : "",
    from?.run.from ? ` ${words.whichGoesOn}` : "",
    held.length > 0 ? `, ${words.held(held.length)}` : "",
    ".",
  ].join("");
}
