import type { Recipe } from "../../../flow/recipe";
import { unguided } from "../../../flow/settings";
import type { Manifest } from "../../../format/manifest";
import type { Experiment } from "./experiments";

/** What an experiment's address says before the name of the other model. */
const KIND = "model.";

/**
 * A run and what another model writes from its noise and prompt, by that model's own settings: teacher and student, or two
 * checkpoints of one training.
 */
export function anotherModel(here: Manifest, other: Manifest): Experiment {
  return {
    id: `${KIND}${other.name}`,
    title: `${here.title} and ${other.title}`,
    about: "Two models, the same noise and prompt, each by the settings it was made for.",
    isOfOneNoise: true,
    whyNot: (base) => whyNotBy(other, base, here),
    variants: (base) => [
      { label: `${here.title}, ${base.settings.steps} steps`, recipe: base },
      { label: `${other.title}, ${other.defaults.steps} steps`, recipe: byOwnSettings(other, base), model: other.name },
    ],
  };
}

/** The name of the other model in an experiment's address; undefined where it is an experiment with one model. */
export function otherModelIn(id: string): string | undefined {
  return id.startsWith(KIND) ? id.slice(KIND.length) : undefined;
}

/** Noise, length and prompt of a recipe, and all else as the model has it. */
function byOwnSettings({ defaults }: Manifest, { settings: { seed, length }, prompt }: Recipe): Recipe {
  const settings = { ...defaults, seed, length };
  return { settings: prompt ? settings : unguided(settings), ...(prompt ? { prompt } : {}) };
}

function whyNotBy({ title, architecture, name }: Manifest, { settings, prompt, held = [] }: Recipe, here: Manifest) {
  const { latentSize, maxLength, maxInputLength, sourceOptional } = architecture;
  if (name === here.name) return "It takes two different models.";
  if (held.length > 0) return "It takes a run in which no word is held.";
  if (latentSize !== here.architecture.latentSize) return `The noise of ${title} has another width.`;
  if (settings.length > maxLength) return `${title} writes ${maxLength} tokens at most.`;
  if (prompt && maxInputLength === 0) return `${title} takes no prompt.`;
  if (prompt && "ids" in prompt) return "It takes a prompt of words: the numbers of its tokens are this model's own.";
  if (!prompt && maxInputLength > 0 && !sourceOptional) return `${title} writes nothing without a prompt.`;
  return null;
}
