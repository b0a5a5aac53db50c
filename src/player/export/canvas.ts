import { type Curve, DASH, type Drawing, type Line } from "./drawing";
import { FAMILIES, type Measure, type Type } from "./typography";

type Context = OffscreenCanvasRenderingContext2D | CanvasRenderingContext2D;

/** A canvas to measure by or to draw on; null where the browser has none for scripts. */
export function newContext(settings?: CanvasRenderingContext2DSettings): OffscreenCanvasRenderingContext2D | null {
  return typeof OffscreenCanvas === "undefined" ? null : new OffscreenCanvas(1, 1).getContext("2d", settings);
}

/** Measures by the fonts that a canvas has, which are those of the page or the worker that it is in. */
export function measureBy(context: Context): Measure {
  return (text, type) => {
    context.font = fontOf(type);
    return context.measureText(text).width;
  };
}

/**
 * Draws a drawing, at the canvas's left upper corner. Not by an image of its SVG: a strict policy (`img-src`) forbids those,
 * and no font of the page gets into one.
 */
export function paint(
  { rectangles, curves = [], dots = [], lines }: Pick<Drawing, "rectangles" | "curves" | "dots" | "lines">,
  context: Context,
): void {
  for (const { x, y, width, height, colour } of rectangles) {
    context.fillStyle = colour;
    context.fillRect(x, y, width, height);
  }
  for (const curve of curves) paintCurve(curve, context);
  for (const { x, y, radius, colour } of dots) {
    context.fillStyle = colour;
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fill();
  }
  for (const line of lines) paintLine(line, context);
}

function paintCurve({ points, colour, width, isDashed }: Curve, context: Context): void {
  context.save();
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.lineJoin = "round";
  context.setLineDash(isDashed ? [DASH * width, DASH * width] : []);
  context.beginPath();
  for (const [x, y] of points) context.lineTo(x, y);
  context.stroke();
  context.restore();
}

function paintLine({ x, y, width, type, isRightToLeft, spans }: Line, context: Context): void {
  context.save();
  context.font = fontOf(type);
  context.direction = isRightToLeft ? "rtl" : "ltr";
  context.textAlign = "start";
  const widths = spans.map(({ text }) => context.measureText(text).width);
  const natural = widths.reduce((sum, own) => sum + own, 0);
  context.translate(x, y);
  if (natural > 0) context.scale(width / natural, 1);
  let at = 0;
  for (const [i, { text, colour, underlined }] of spans.entries()) {
    const own = widths[i] ?? 0;
    const left = isRightToLeft ? -at : at;
    context.fillStyle = colour;
    context.fillText(text, left, 0);
    if (underlined) context.fillRect(isRightToLeft ? left - own : left, 0.12 * type.size, own, 0.06 * type.size);
    at += own;
  }
  context.restore();
}

function fontOf({ family, size, weight }: Type): string {
  return `${weight} ${size}px ${FAMILIES[family]}`;
}
