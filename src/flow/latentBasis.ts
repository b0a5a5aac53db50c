/**
 * A few directions to draw latents in: the principal components of the latents that a model's own texts end in. They are
 * found once for a model, always from the same runs, so that pictures of different runs can be laid side by side.
 */
import type { Network } from "./network";
import { joined } from "./rows";
import { type FlowConstants, type FlowState, flow } from "./sampler";
import type { SamplerSettings } from "./settings";

export interface LatentBasis {
  /** Mean latent; (D). */
  readonly mean: Float32Array;
  /** Orthonormal directions, that of the greatest variance first; each (D). */
  readonly directions: readonly Float32Array[];
}

/** Runs behind a model's basis: seeds 0 … 7, eight steps each. */
const RUNS = 8;
const STEPS = 8;

/** The basis of a model with these default settings, from texts that it writes without a prompt. */
export async function modelBasis(
  network: Network,
  defaults: SamplerSettings,
  constants: FlowConstants,
  count = 3,
): Promise<LatentBasis> {
  const ends: Float32Array[] = [];
  for (let seed = 0; seed < RUNS; seed++) {
    let last: FlowState | undefined;
    for await (const state of flow(network, { ...defaults, seed, steps: STEPS }, constants)) last = state;
    if (last) ends.push(last.z);
  }
  return principalBasis(joined(ends), network.latentSize, count);
}

/** The first `count` principal components of latents (n, D), by power iteration; the same for the same numbers. */
export function principalBasis(latents: Float32Array, latentSize: number, count: number): LatentBasis {
  const rows = latents.length / latentSize;
  const mean = new Float32Array(latentSize);
  for (const [i, x] of latents.entries()) mean[i % latentSize] = (mean[i % latentSize] as number) + x / rows;
  const covariance = covarianceOf(latents, mean);
  const directions: Float32Array[] = [];
  for (let k = 0; k < Math.min(count, latentSize); k++) {
    // Any start will do that is at right angles to no component; a ramp hardly ever is.
    let direction: Float32Array = Float32Array.from({ length: latentSize }, (_, i) => 1 + i / latentSize);
    for (let i = 0; i < ITERATIONS; i++) {
      const image = i === 0 ? direction : times(covariance, direction);
      const next = unit(withoutParts(image, directions));
      if (!next) break;
      direction = next;
    }
    directions.push(direction);
  }
  return { mean, directions };
}

const ITERATIONS = 200;

/** Coordinates of latents (n, D) in a basis; (n, directions) row-major. */
export function project(latents: Float32Array, { mean, directions }: LatentBasis): Float32Array {
  const latentSize = mean.length;
  const coordinates = new Float32Array((latents.length / latentSize) * directions.length);
  return coordinates.map((_, i) => {
    const row = Math.floor(i / directions.length) * latentSize;
    const direction = directions[i % directions.length] as Float32Array;
    return direction.reduce((sum, x, d) => sum + x * ((latents[row + d] as number) - (mean[d] as number)), 0);
  });
}

/** (D, D), not divided by the number of rows: only directions matter. */
function covarianceOf(latents: Float32Array, mean: Float32Array): Float64Array {
  const D = mean.length;
  const covariance = new Float64Array(D * D);
  for (let row = 0; row < latents.length; row += D) {
    for (let i = 0; i < D; i++) {
      const x = (latents[row + i] as number) - (mean[i] as number);
      for (let j = 0; j < D; j++) {
        const at = i * D + j;
        covariance[at] = (covariance[at] as number) + x * ((latents[row + j] as number) - (mean[j] as number));
      }
    }
  }
  return covariance;
}

function times(matrix: Float64Array, vector: Float32Array): Float32Array {
  const D = vector.length;
  return vector.map((_, i) => vector.reduce((sum, x, j) => sum + x * (matrix[i * D + j] as number), 0));
}

/** `vector` without its parts along `directions`, which are of length 1 and at right angles. */
function withoutParts(vector: Float32Array, directions: readonly Float32Array[]): Float32Array {
  return directions.reduce((rest, direction) => {
    const part = direction.reduce((sum, x, i) => sum + x * (rest[i] as number), 0);
    return rest.map((x, i) => x - part * (direction[i] as number));
  }, vector);
}

/** `vector` at length 1; undefined where nothing is left of it. */
function unit(vector: Float32Array): Float32Array | undefined {
  const size = Math.hypot(...vector);
  return size > 0 ? vector.map((x) => x / size) : undefined;
}
