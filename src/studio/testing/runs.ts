import { shownRunOf } from "../../player/testing/runs";
import type { Run } from "../session/runs/shelfRun";

export { frameOf, PIECES, pathsOfLength, SETTINGS } from "../../player/testing/runs";

/** A run of the shelf whose frames are these, each a list of pieces parted by blanks. */
export function runOf(frames: readonly string[], change: Partial<Run> = {}): Run {
  return {
    ...shownRunOf(frames),
    origin: "generated",
    modelTitle: "Test",
    backend: "wasm",
    seconds: 1,
    startedAt: 1,
    ...change,
  };
}
