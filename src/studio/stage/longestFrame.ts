import type { Run } from "../run/run";

const known = new WeakMap<Run["trajectory"]["frames"][number], number>();

/** The tokens of the frame whose text is longest, in either reading: no other frame needs more room. */
export function longestFrame({ trajectory, pieces }: Run): Int32Array {
  let longest: Int32Array = new Int32Array();
  let most = -1;
  for (const frame of trajectory.frames) {
    const characters =
      known.get(frame) ?? Math.max(lengthOf(frame.holds.tokens, pieces), lengthOf(frame.expects.tokens, pieces));
    known.set(frame, characters);
    if (characters <= most) continue;
    most = characters;
    const { holds, expects } = frame;
    longest = lengthOf(holds.tokens, pieces) < characters ? expects.tokens : holds.tokens;
  }
  return longest;
}

function lengthOf(tokens: Int32Array, pieces: readonly string[]): number {
  return tokens.reduce((sum, token) => sum + (pieces[token]?.length ?? 1), 0);
}
