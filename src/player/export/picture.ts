import { measureBy, newContext, paint } from "./canvas";
import { type Drawing, drawingOf, PictureError } from "./drawing";
import { gifFile } from "./gif";
import type { MovingWish } from "./moving";
import { withPngText } from "./pngText";
import { svgOf } from "./svg";
import type { Measure } from "./typography";

export { PictureError, type PictureWish } from "./drawing";
export type { MovingWish } from "./moving";

/** The kinds of file that a drawing can be saved as. */
export const DRAWING_KINDS = ["svg", "png"] as const;
export type DrawingKind = (typeof DRAWING_KINDS)[number];
/** And those of a run. */
export type PictureKind = DrawingKind | "gif";

/**
 * A frame of a run as the file of a picture, in the fonts of the page or worker that asks; as a GIF the frames up to it.
 * @throws {PictureError} its size, speed or frame is none, there is no such kind, or the browser cannot draw.
 * @throws {CancelledError} the signal of a GIF said so.
 */
export async function pictureFile(kind: PictureKind, wish: MovingWish): Promise<Blob> {
  if (kind === "gif") return gifFile(wish);
  if (!DRAWING_KINDS.includes(kind)) {
    throw new PictureError(`“${String(kind).slice(0, 40)}” is no kind of picture.`, "Choose svg, png or gif.");
  }
  return drawnFile(kind, (measure) => drawingOf(measure ? { ...wish, measure } : wish));
}

/**
 * A drawing as the file of a picture; `draw` is given what measures text by the fonts that there are, if anything does.
 * @throws {PictureError} the browser cannot draw; and whatever `draw` throws.
 */
export async function drawnFile(kind: DrawingKind, draw: (measure?: Measure) => Drawing): Promise<Blob> {
  const context = newContext();
  if (kind === "svg") {
    return new Blob([svgOf(draw(context ? measureBy(context) : undefined))], { type: "image/svg+xml" });
  }
  if (!context) throw new PictureError("This browser does not draw pictures.", "Take svg, or another browser.");
  const drawing = draw(measureBy(context));
  // As large as it says, now that its size is known to be one.
  Object.assign(context.canvas, { width: drawing.width, height: drawing.height });
  paint(drawing, context);
  const plain = await context.canvas.convertToBlob({ type: "image/png" });
  return new Blob([withPngText(new Uint8Array(await plain.arrayBuffer()), drawing.note)], { type: "image/png" });
}
