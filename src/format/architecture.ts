import type { Dtype, Manifest } from "./manifest";

type Architecture = Manifest["architecture"];

/** Bytes of a stored weight, its share of a scale included. */
export const WEIGHT_BYTES: Readonly<Record<Dtype, number>> = { f32: 4, f16: 2, q8: 1 + 2 / 16, q4: 0.5 + 2 / 32 };

/** Inner width of the feed-forward: two thirds of 4H, rounded down. */
export function feedForwardSize({ hiddenSize }: Pick<Architecture, "hiddenSize">): number {
  return Math.floor((8 * hiddenSize) / 3);
}

/** Weights that a network of these shapes has, its encoder left out; within a few in a thousand of the real number. */
export function networkParameters(architecture: Architecture): number {
  const { depth, hiddenSize: H, latentSize: D, bottleneckSize, vocabularySize: V } = architecture;
  const embedders = (architecture.selfCondCfgTokens > 0 ? 2 : 1) * (256 * H + H * H);
  const input = 2 * D * D + D * bottleneckSize + bottleneckSize * H;
  const block = 4 * H * H + 3 * H * feedForwardSize(architecture);
  return input + embedders + depth * block + 2 * H * D + D * V;
}
