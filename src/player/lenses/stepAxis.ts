import { scaleLinear } from "d3-scale";
import { PALETTES } from "../export/colours";
import type { Line } from "../export/drawing";
import { labelLine } from "./label";
import type { LensInput } from "./lens";

/** Pixels for a number and its room. */
const ROOM = 56;

interface Axis {
  /** Where step 0 and the last step are, or their cells begin and end. */
  readonly left: number;
  readonly width: number;
  readonly y: number;
  readonly steps: number;
  /** Whether steps are cells, not points. */
  readonly isCells?: boolean;
}

/** The numbers of steps below a picture. */
export function stepAxis(
  { left, width, y, steps, isCells = false }: Axis,
  { theme, measure, words }: Pick<LensInput, "theme" | "measure" | "words">,
): { readonly lines: readonly Line[]; readonly height: number } {
  const shift = isCells ? 0.5 : 0;
  const x = scaleLinear([-shift, steps + shift], [left, left + width]);
  const ticks = x.ticks(Math.max(2, Math.floor(width / ROOM))).filter((step) => Number.isInteger(step) && step >= 0);
  const lines = ticks.map((step, i): Line => {
    const text = i === 0 ? `${words.step} ${step}` : `${step}`;
    const place = (own: number) => Math.min(left + width - own, Math.max(left, x(step) - own / 2));
    return labelLine({ text, colour: PALETTES[theme].inkFaint, x: place, y: y + 16 }, measure);
  });
  return { lines, height: 22 };
}
