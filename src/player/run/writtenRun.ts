/** A run while it is written. Each change gives another object of the same `id`, as players take it. */
import type { Recipe } from "../../flow/recipe";
import { type Frame, withFrames } from "../../flow/trajectory";
import type { ShownRun } from "./run";

/** What a run says of the model that writes it. */
export interface RunAuthor {
  readonly manifest: { readonly name: string; readonly tokens: Pick<ShownRun, "eos"> };
  readonly pieces: readonly string[];
}

/** Times of all frames from noise on, and the number of the first that will come. */
export interface RunStart {
  readonly times: readonly number[];
  readonly first: number;
}

/** A run that begins. Of `here`, the frames of the run that it goes on from, it has those that will not come. */
export function begunRun(
  id: string,
  { manifest, pieces }: RunAuthor,
  recipe: Recipe,
  { times, first }: RunStart,
  here: readonly Frame[],
): ShownRun {
  return {
    id,
    status: "running",
    trajectory: { ...recipe, model: manifest.name, times, frames: here.slice(0, first) },
    pieces,
    eos: manifest.tokens.eos,
    text: "",
  };
}

/** The run with the frames that came, next or between those that it has. */
export function grownRun<Run extends ShownRun>(run: Run, frames: readonly Frame[]): Run {
  const { trajectory } = run;
  return { ...run, trajectory: { ...trajectory, frames: withFrames(trajectory.frames, frames) } };
}
