import { isEmpty, type Recipe, recipeOf, rootOf } from "../flow/recipe";
import { randomSeed, type SamplerSettings, unguided } from "../flow/settings";
import type { Frame } from "../flow/trajectory";
import type { ShownRun } from "../player/run/run";
import { begunRun, grownRun } from "../player/run/writtenRun";
import type { LoadedModel, RunEvent, RunResult } from "../run/api";
import type { SharedEngine } from "./broker";

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
  const guided = given && !isEmpty(given) ? wanted : unguided(wanted);
  return recipeOf({ settings: guided, prompt: given ?? undefined });
}

let written = 0;

/** The run of an element, told of each time that it has grown. */
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
    if (event.type === "start") this.#run = begunRun(this.#id, this.model, this.recipe, event, this.lead);
    else if (event.type === "frame" && this.#run) this.#show(grownRun(this.#run, [event.frame]));
  }

  /** The run has ended; one without a frame never was. */
  end({ status, text }: Pick<RunResult, "text"> & { status: ShownRun["status"] }): void {
    if (this.#run?.trajectory.frames.length) this.#show({ ...this.#run, status, text });
  }

  /** Finds where its tokens were, and tells of the run with that. */
  async findPaths(engine: Pick<SharedEngine, "paths">, signal: AbortSignal): Promise<void> {
    const { trajectory } = this.#run ?? {};
    if (!trajectory?.frames.length) return;
    const paths = await engine.paths(recipeOf(trajectory), trajectory.frames.length, () => {}, signal);
    if (paths && this.#run && !signal.aborted) this.#show({ ...this.#run, trajectory: { ...trajectory, paths } });
  }

  #show(run: ShownRun): void {
    this.#run = run;
    this.onGrown(run);
  }
}
