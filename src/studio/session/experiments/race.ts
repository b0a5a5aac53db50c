import { judgeBeside } from "../../../delivery/shipped";
import type { Manifest } from "../../../format/manifest";
import { type Experiment, RACE } from "./experiments";

/**
 * A run and what a next-word model of about its size, the judge, writes from the same beginning or translates of the same
 * sentence: all words at once beside one after the other.
 */
export function race(here: Manifest): Experiment {
  const judge = judgeBeside(here.name);
  const translates = judge === "translate-yardstick";
  return {
    id: RACE,
    title: ({ experiments }) => experiments.race,
    about: ({ experiments }) => (translates ? experiments.raceOfTranslators : experiments.raceIs),
    isMarked: false,
    isByClock: true,
    whyNot: ({ prompt, held = [], back }, { experiments: { whyNot } }) => {
      if (held.length > 0) return whyNot.held;
      if (back) return whyNot.fromText;
      if (prompt && "ids" in prompt) return whyNot.promptOfNumbers;
      if (translates) return prompt ? null : whyNot.noPrompt;
      // It goes on from a text, and answers none.
      return prompt && !here.architecture.sourceOptional ? whyNot.answersPrompts(here.title) : null;
    },
    variants: (base) => [
      {
        label: ({ experiments, player }) => `${experiments.atOnce}, ${player.run.steps(base.settings.steps)}`,
        recipe: base,
      },
      { label: ({ experiments }) => experiments.wordByWord, recipe: base, model: judge, byJudge: judge },
    ],
  };
}
