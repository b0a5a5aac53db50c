/** What a person can choose about one run of the sampler. Names are those of the paper and of `elf sample`. */
export interface SamplerSettings {
  /** Number of steps N from noise (t = 0) to text (t = 1); integer, 1 … 1024. */
  readonly steps: number;
  /** `ode` is plain Euler; `sde` mixes fresh noise in before every step but the last. */
  readonly method: Method;
  /** Fresh noise γ of the SDE, 0 … 8; 0 is the ODE. Ignored when `method` is `ode`. */
  readonly gamma: number;
  /** Self-conditioning guidance w, an input of the network, 0.5 … 5 as in training (up to 8 accepted). */
  readonly selfCondScale: number;
  /** How the N + 1 times are laid out. `logit_normal` is drawn from the seed. */
  readonly schedule: Schedule;
  /** Layout of JAX's threefry random bits: `original` is that of the official sampler. */
  readonly rng: RngLayout;
  /** Integer, 0 … 2³² − 1. The same seed and settings give the same text. */
  readonly seed: number;
  /** Number of tokens L to write; 1 … the model's `maxLength`. */
  readonly length: number;
}

export type Method = "ode" | "sde";
export type Schedule = "uniform" | "logit_normal";
export type RngLayout = "original" | "partitionable";
