import { type Recipe, recipeOf } from "../../../flow/recipe";
import { unguided } from "../../../flow/settings";
import type { Manifest } from "../../../format/manifest";
import type { Words } from "../../words/english";
import type { Experiment, Label } from "./experiments";

/** What an experiment's address says before the name of the other model. */
const KIND = "model.";

/**
 * A run and what another model writes from its noise and prompt, by that model's own settings: teacher and student, or two
 * checkpoints of one training.
 */
export function anotherModel(here: Manifest, other: Manifest): Experiment {
  return {
    id: `${KIND}${other.name}`,
    title: ({ experiments }) => experiments.twoModels(here.title, other.title),
    about: ({ experiments }) => experiments.twoModelsAre,
    isMarked: true,
    whyNot: (base, words) => whyNotBy(other, base, here, words.experiments.whyNot),
    variants: (base) => [
      { label: ofModel(here, base.settings.steps), recipe: base },
      { label: ofModel(other, other.defaults.steps), recipe: byOwnSettings(other, base), model: other.name },
    ],
  };
}

/** The name of the other model in an experiment's address; undefined where it is an experiment with one model. */
export function otherModelIn(id: string): string | undefined {
  return id.startsWith(KIND) ? id.slice(KIND.length) : undefined;
}

function ofModel({ title }: Manifest, steps: number): Label {
  return ({ player }) => `${title}, ${player.run.steps(steps)}`;
}

/** Noise, length and prompt of a recipe, and all else as the model has it. */
function byOwnSettings({ defaults }: Manifest, { settings: { seed, length }, prompt, towards }: Recipe): Recipe {
  const settings = { ...defaults, seed, length };
  return recipeOf({ settings: prompt ? settings : unguided(settings), prompt, towards });
}

function whyNotBy(
  { title, architecture, name }: Manifest,
  { settings, prompt, back, held = [] }: Recipe,
  here: Manifest,
  words: Words["experiments"]["whyNot"],
) {
  const { latentSize, maxLength, maxInputLength, sourceOptional } = architecture;
  if (name === here.name) return words.oneModel;
  if (held.length > 0) return words.held;
  if (back) return words.fromText;
  if (latentSize !== here.architecture.latentSize) return words.otherNoise(title);
  if (settings.length > maxLength) return words.tooLong(title, maxLength);
  if (prompt && maxInputLength === 0) return words.takesNoPrompt(title);
  if (prompt && "ids" in prompt) return words.promptOfNumbers;
  if (!prompt && maxInputLength > 0 && !sourceOptional) return words.needsPrompt(title);
  return null;
}
