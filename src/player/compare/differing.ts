import { endOf } from "../../flow/tokens";

/**
 * Positions at which two runs' tokens differ, in those of `tokens`. What stands after the ends of both is no part of either
 * text, and one that ends sooner differs to the end of the other.
 */
export function differingPositions(tokens: Int32Array, others: Int32Array, eos: number | null): ReadonlySet<number> {
  const last = Math.max(endOf(tokens, eos), endOf(others, eos));
  return new Set(
    Array.from(tokens.keys()).filter((position) => position <= last && tokens[position] !== others[position]),
  );
}
