/**
 * The network as the flow sees it: two questions, no tensors of any runtime. Implemented over onnxruntime in
 * `runtime/arrayNetwork.ts` and by plain functions in tests.
 */
export interface Network {
  /** D, the width of one position's latent. */
  readonly latentSize: number;
  /** Whether `selfCondScale` is an input of the network. Where it is not, guidance takes a second pass. */
  readonly takesSelfCondScale: boolean;
  /**
   * Told before a run at which times it will ask, so that what depends on them alone is computed at once. Asking at
   * others stays allowed. A network that gains nothing by it leaves this out.
   * @param selfCondScale at all of these times, or at each.
   */
  prepare?(times: readonly number[], selfCondScale: PerSample): Promise<void>;
  /** Predicts the clean embeddings x̂ (B, L, D) from noisy states (spec section 2, head *denoise*). */
  denoise(input: DenoiseInput): Promise<Float32Array>;
  /** As `denoise`, of samples at any times. A network that takes one time for a whole batch leaves this out. */
  denoiseMixed?(input: MixedInput): Promise<Float32Array>;
  /**
   * Reads latents as tokens: one pass in decode mode at t = 1 on `[z, 0]`. Several latents of equal length are read as
   * one batch; the answers come in the same order.
   * @param selfCondScale of all, or of each.
   */
  decode(latents: readonly Float32Array[], selfCondScale: PerSample): Promise<Reading[]>;
}

/** The network's other half, which reads prompts. Only conditional models have it. */
export interface Encoder {
  /**
   * Encodes sources of any lengths as one batch, each seen alone. What it gives for a `HIDDEN` token means nothing.
   * @returns the normalised embeddings of each source's own tokens; (length, latentSize) row-major.
   */
  encode(sources: readonly Source[]): Promise<Float32Array[]>;
}

/** The token ids of a prompt. */
export type Source = readonly number[];

/** Stands in a source that is to be encoded for a token that nobody knows: none of the others sees it. */
export const HIDDEN = -1;

export interface DenoiseInput {
  /** B sequences of L positions one after the other; (B, L, D) row-major. */
  readonly z: Float32Array;
  /** The last predictions x̂, zeros at first; of z's shape. */
  readonly previous: Float32Array;
  /** B */
  readonly batch: number;
  /** Time in [0, 1]; 0 is noise, 1 is text. The whole batch shares it. */
  readonly t: number;
  readonly selfCondScale: number;
}

/** Samples that are each at a time of their own, or guided differently. */
export interface MixedInput extends Omit<DenoiseInput, "t" | "selfCondScale"> {
  readonly t: PerSample;
  readonly selfCondScale: PerSample;
}

/** One number for all samples of a batch, or one for each; (B). */
export type PerSample = number | readonly number[];

/** What the decoder makes of one latent sequence. */
export interface Reading {
  /** Most likely token of each position, before any cut at the end-of-sequence token; (length). */
  readonly tokens: Int32Array;
  /** Entropy of each position's distribution in nats, 0 … ln(vocabulary); (length). */
  readonly entropy: Float32Array;
  /** The k most likely tokens of each position, best first; (length, k) row-major. */
  readonly topTokens: Int32Array;
  /** Their probabilities; (length, k) row-major. */
  readonly topProbabilities: Float32Array;
}
