import type { SamplerSettings } from "../../../flow/settings";
import { experimentOn } from "../../actions/experiments";
import { draftedBase } from "../../session/experiments/base";
import { EXPERIMENTS, type Experiment } from "../../session/experiments/experiments";
import { useWords } from "../StudioContext";
import { useAction } from "../ui/useAction";
import styles from "./Experiments.module.css";

/** Makes the runs that show what a setting does to the text, by the settings as they stand; nothing where none do. */
export function ShowMe({ setting }: { setting: keyof SamplerSettings }) {
  const experiment = EXPERIMENTS.find((experiment) => experiment.setting === setting);
  return experiment ? <ShowMeButton experiment={experiment} /> : null;
}

function ShowMeButton({ experiment }: { experiment: Experiment }) {
  const begin = useAction(experimentOn(experiment, draftedBase));
  const words = useWords();
  const title = experiment.title(words);
  return (
    <button {...begin} className={styles.showMe} aria-label={`${words.experiments.showMe}: ${title}`} title={title}>
      {words.experiments.showMe}
    </button>
  );
}
