import { ENGLISH, type Words } from "../words";

/** Below this many nats a word reads as decided, above the other as open; ink runs from one to the other. */
export const DECIDED_NATS = 0.1;
export const OPEN_NATS = 4.5;

/** Where words begin to blur, and the nats by which they are as blurred as they get. */
export const BLUR_FROM_NATS = 3;
export const BLUR_FULL_NATS = 5.5;
const BLUR_FULL_PX = 1.1;

/** 1: decided, all ink. 0: anything could stand here. */
export function certaintyOf(entropy: number): number {
  return 1 - share(entropy, DECIDED_NATS, OPEN_NATS);
}

/** Blur in pixels; a second sign of doubt that needs no colour vision. */
export function blurOf(entropy: number): number {
  return BLUR_FULL_PX * share(entropy, BLUR_FROM_NATS, BLUR_FULL_NATS);
}

/** An entropy in words. exp(H) is the number of equally likely choices that would be as hard to tell apart. */
export function describeEntropy(entropy: number, { card }: Pick<Words, "card"> = ENGLISH): string {
  const choices = Math.exp(entropy);
  if (choices < 1.1) return card.decided;
  if (choices < 2) return card.nearlyDecided;
  return card.openAs(Math.round(choices));
}

function share(value: number, from: number, to: number): number {
  return Math.min(1, Math.max(0, (value - from) / (to - from)));
}
