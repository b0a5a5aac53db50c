import type { Run } from "../run/run";
import type { Studio } from "../studio";

/** The run next to the selected one on the shelf: newer (−1) or older (+1). */
export function neighbourOnShelf({ runs }: Studio, by: 1 | -1): Run | undefined {
  const { runs: shelf, selectedId } = runs.getState();
  const at = shelf.findIndex(({ id }) => id === selectedId);
  return at < 0 ? undefined : shelf[at + by];
}
