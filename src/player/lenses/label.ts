import type { Line } from "../export/drawing";
import type { Measure, Type } from "../export/typography";

/** The type of what a lens says within its picture. */
export const LABEL: Type = { family: "sans", size: 11, weight: 400 };
/** The same, of what stands for a curve. */
export const STRONG_LABEL: Type = { ...LABEL, weight: 600 };

interface Label {
  readonly text: string;
  readonly colour: string;
  /** Where it begins, by how wide it is. */
  readonly x: (width: number) => number;
  /** Of its feet. */
  readonly y: number;
  readonly type?: Type;
}

/** A line of one colour in a lens. */
export function labelLine({ text, colour, x, y, type = LABEL }: Label, measure: Measure): Line {
  const width = measure(text, type);
  return { x: x(width), y, width, type, isRightToLeft: false, spans: [{ text, colour }] };
}
