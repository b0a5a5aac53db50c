/**
 * The network as the flow sees it: two questions, no tensors of any runtime. Implemented over onnxruntime in
 * `model/session.ts` and by plain functions in tests.
 */
export interface Network {
  /** Token positions × embedding width of one latent sequence. */
  readonly latentSize: number;
  /**
   * Predicts the clean embeddings from a noisy state (spec section 2, head *denoise*).
   * `z` and `previous` (the last prediction x̂, zeros at first) are (length, latentSize) row-major.
   */
  denoise(input: DenoiseInput): Promise<Float32Array>;
  /**
   * Reads latents as tokens: one pass in decode mode at t = 1 on `[z, 0]`. Several latents of equal length are read as
   * one batch; the answers come in the same order.
   */
  decode(latents: readonly Float32Array[], selfCondScale: number): Promise<Reading[]>;
}

export interface DenoiseInput {
  readonly z: Float32Array;
  readonly previous: Float32Array;
  /** Time in [0, 1]; 0 is noise, 1 is text. */
  readonly t: number;
  readonly selfCondScale: number;
}

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
