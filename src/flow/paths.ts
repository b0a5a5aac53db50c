import { type LatentBasis, project } from "./latentBasis";
import type { FlowState } from "./sampler";

/** Where every position's latent is at every step of a run, in the picture of a `LatentBasis`. */
export interface Paths {
  /** `model`: one picture for all runs of the model. `run`: of this run alone, whose end it is made of. */
  readonly basis: "model" | "run";
  /** L, positions of the text. */
  readonly length: number;
  /** Of *what it holds*, z, in thousandths of the picture's half side, −1000 … 1000; (frames, L, 2) row-major. */
  readonly holds: Int16Array;
  /** Of *what it expects*, x̂, likewise. At frame 0 it equals `holds`. */
  readonly expects: Int16Array;
}

/** Steps from the middle of a picture to its edge: finer than any screen shows. */
export const PATH_UNIT = 1000;

/** One frame of paths, each (L, 2). */
export type PathPlaces = Pick<Paths, "holds" | "expects">;

/** The frames that paths have. */
export function framesOf({ holds, length }: Pick<Paths, "holds" | "length">): number {
  return holds.length / (2 * length);
}

/** Where the `length` positions behind the `from` of a prompt are, in a state of one sample. */
export function placesOf(
  { step, z, prediction }: Pick<FlowState, "step" | "z" | "prediction">,
  basis: LatentBasis,
  { from, length }: { readonly from: number; readonly length: number },
): PathPlaces {
  const places = (latents: Float32Array) => {
    const text = rowsOf(latents, basis.mean.length, from, length);
    return Int16Array.from(project(text, basis), (place) => Math.round(PATH_UNIT * place));
  };
  const holds = places(z);
  // Before the first step there is no prediction yet, only zeros.
  return { holds, expects: step === 0 ? holds : places(prediction) };
}

/** `count` rows of latents (n, D) from row `from` on, not copied. */
export function rowsOf(latents: Float32Array, latentSize: number, from: number, count: number): Float32Array {
  return latents.subarray(from * latentSize, (from + count) * latentSize);
}

/** Paths of the places at every step, from noise on. */
export function joinPlaces(steps: readonly PathPlaces[], length: number, basis: Paths["basis"]): Paths {
  const join = (name: keyof PathPlaces) => {
    const all = new Int16Array(steps.length * length * 2);
    for (const [index, places] of steps.entries()) all.set(places[name], index * length * 2);
    return all;
  };
  return { basis, length, holds: join("holds"), expects: join("expects") };
}
