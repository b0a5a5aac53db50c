/**
 * Two directions to draw latents in: the principal components of the latents that texts end in. A model brings them along
 * (`latent.basis` of its manifest), so that pictures of different runs can be laid side by side; for one that does not,
 * they are found in the end of the run that is drawn.
 */
export interface LatentBasis {
  /** Mean latent, the middle of the picture; (D). */
  readonly mean: ArrayLike<number>;
  /** Orthonormal directions, that of the greatest variance first; each (D). */
  readonly directions: readonly [ArrayLike<number>, ArrayLike<number>];
  /** Half the side of the picture, in the latents' own unit. */
  readonly reach: number;
}

/** Standard deviations of the noise that a picture has room for: one number in 2,000 lies further out. */
const NOISE_REACH = 3.5;
const ITERATIONS = 200;

/**
 * The first two principal components of latents (n, D), by power iteration; the same for the same numbers. The picture
 * holds these latents and noise of the deviation `noiseScale`. As `export/src/elf/onnx_export/manifest.py`.
 */
export function principalBasis(latents: Float32Array, latentSize: number, noiseScale: number): LatentBasis {
  const rows = latents.length / latentSize;
  const mean = new Float32Array(latentSize);
  for (const [i, x] of latents.entries()) mean[i % latentSize] = (mean[i % latentSize] as number) + x / rows;
  const spread = centred(latents, mean);
  const first = component(spread, latentSize, []);
  const second = component(spread, latentSize, [first]);
  const directions = [first, second] as const;
  const ofTexts = greatestPart(spread, latentSize, directions);
  const ofNoise = greatestPart(mean, latentSize, directions) + NOISE_REACH * noiseScale;
  return { mean, directions, reach: Math.max(ofTexts, ofNoise) };
}

/** Where latents (n, D) lie in the picture of a basis, −1 … 1, what is further out at its edge; (n, 2) row-major. */
export function project(latents: Float32Array, { mean, directions, reach }: LatentBasis): Float32Array {
  const spread = centred(latents, mean);
  const places = new Float32Array((2 * latents.length) / mean.length);
  return places.map((_, i) => {
    const part = partAlong(spread, Math.floor(i / 2) * mean.length, directions[i % 2] as ArrayLike<number>);
    return Math.min(1, Math.max(-1, part / reach));
  });
}

function centred(latents: Float32Array, mean: ArrayLike<number>): Float32Array {
  return latents.map((x, i) => x - (mean[i % mean.length] as number));
}

/**
 * The direction of the greatest variance at right angles to `others`; zeros where nothing is left. The matrix of
 * covariances is never made: it would have D² numbers.
 */
function component(spread: Float32Array, latentSize: number, others: readonly Float32Array[]): Float32Array {
  // Any start will do that is at right angles to no component; a ramp hardly ever is.
  const ramp = Float32Array.from({ length: latentSize }, (_, i) => 1 + i / latentSize);
  let direction = unit(withoutParts(ramp, others));
  for (let i = 0; i < ITERATIONS; i++) {
    const image = new Float64Array(latentSize);
    for (let row = 0; row < spread.length; row += latentSize) {
      const part = partAlong(spread, row, direction);
      for (let d = 0; d < latentSize; d++) image[d] = (image[d] as number) + part * (spread[row + d] as number);
    }
    const next = unit(withoutParts(Float32Array.from(image), others));
    const change = next.reduce((most, x, d) => Math.max(most, Math.abs(x - (direction[d] as number))), 0);
    direction = next;
    if (change < 1e-6) break;
  }
  return turned(direction);
}

/** A component is one as well turned round: its greatest number is above 0. */
function turned(direction: Float32Array): Float32Array {
  const greatest = direction.reduce((most, x) => (Math.abs(x) > Math.abs(most) ? x : most), 0);
  return greatest < 0 ? direction.map((x) => -x) : direction;
}

/** `vector` without its parts along `directions`, which are of length 1 and at right angles. */
function withoutParts(vector: Float32Array, directions: readonly Float32Array[]): Float32Array {
  return directions.reduce((rest, direction) => {
    const part = partAlong(rest, 0, direction);
    return rest.map((x, i) => x - part * (direction[i] as number));
  }, vector);
}

/** `vector` at length 1, or zeros. */
function unit(vector: Float32Array): Float32Array {
  const size = Math.hypot(...vector);
  return size > 0 ? vector.map((x) => x / size) : vector;
}

function greatestPart(
  vectors: Float32Array,
  latentSize: number,
  directions: readonly [Float32Array, Float32Array],
): number {
  let greatest = 0;
  for (let row = 0; row < vectors.length; row += latentSize) {
    for (const direction of directions) greatest = Math.max(greatest, Math.abs(partAlong(vectors, row, direction)));
  }
  return greatest;
}

/** The inner product of a direction with the vector that begins at `from`. */
function partAlong(vectors: Float32Array, from: number, direction: ArrayLike<number>): number {
  let sum = 0;
  for (let d = 0; d < direction.length; d++) sum += (direction[d] as number) * (vectors[from + d] as number);
  return sum;
}
