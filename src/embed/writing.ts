import { type Recipe, recipeOf, rootOf } from "../flow/recipe";
import { type SamplerSettings, unguided } from "../flow/settings";
import type { Frame } from "../flow/trajectory";
import type { ShownRun } from "../player/run/run";
import type { LoadedModel, RunEvent, RunResult } from "../run/api";

/** What somebody said of the next run, by a method or an attribute. */
export interface OwnWords {
  readonly prompt?: string | undefined;
  readonly seed?: number | undefined;
  readonly settings?: Partial<SamplerSettings> | undefined;
}

/**
 * The recipe of an element's next run. What a method says counts before what an attribute says, that before the element's
 * recipe, and that before the model's defaults. A recipe is written once as it is, seed, held words and forks included, where
 * nothing was said against it; then, and without one, it is another seed each time.
 */
export function recipeToWrite(
  defaults: SamplerSettings,
  recipe: Recipe | null,
  { prompt, seed, settings }: OwnWords,
  isFirst: boolean,
  anySeed: () => number = randomSeed,
): Recipe {
  const isPlain = prompt === undefined && seed === undefined && settings === undefined;
  if (recipe && isFirst && isPlain) return recipe;
  const wanted = {
    ...defaults,
    ...recipe?.settings,
    ...settings,
    seed: seed ?? (recipe && isFirst ? recipe.settings.seed : anySeed()),
  };
  const given = prompt === undefined ? recipe && rootOf(recipe).prompt : { text: prompt };
  return recipeOf({ settings: given ? wanted : unguided(wanted), prompt: given ?? undefined });
}

function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
}

let written = 0;

/** A run that grows as it is written, each time as a new object of the same `id`, as players take it. */
export class WrittenRun {
  #run: ShownRun | undefined;
  readonly #id = `written-${++written}`;

  /** `lead` are the frames before the fork, where it has one; the engine does not send them again. */
  constructor(
    private readonly model: LoadedModel,
    private readonly recipe: Recipe,
    private readonly lead: readonly Frame[],
    private readonly onGrown: (run: ShownRun) => void,
  ) {}

  hear(event: RunEvent): void {
    if (event.type === "start") {
      const { manifest, pieces } = this.model;
      this.#run = {
        id: this.#id,
        status: "running",
        trajectory: {
          ...this.recipe,
          model: manifest.name,
          times: event.times,
          frames: this.lead.slice(0, event.first),
        },
        pieces,
        eos: manifest.tokens.eos,
        text: "",
      };
    } else if (event.type === "frame" && this.#run) {
      const { trajectory } = this.#run;
      this.#grow({ trajectory: { ...trajectory, frames: [...trajectory.frames, event.frame] } });
    }
  }

  /** The run has ended; one without a frame never was. */
  end({ status, text }: Pick<RunResult, "text"> & { status: ShownRun["status"] }): void {
    if (this.#run?.trajectory.frames.length) this.#grow({ status, text });
  }

  #grow(change: Partial<ShownRun>): void {
    if (!this.#run) return;
    this.#run = { ...this.#run, ...change };
    this.onGrown(this.#run);
  }
}
