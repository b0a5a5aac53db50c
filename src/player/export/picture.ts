import { measureBy, newContext, paint } from "./canvas";
import { type Drawing, drawingOf, PictureError, type PictureWish } from "./drawing";
import { withPngText } from "./pngText";
import { svgOf } from "./svg";
import type { Measure } from "./typography";

export { PictureError, type PictureWish } from "./drawing";

/** The kinds of file that a frame can be saved as. */
export const PICTURE_KINDS = ["svg", "png"] as const;
export type PictureKind = (typeof PICTURE_KINDS)[number];

/**
 * A frame of a run as the file of a picture, in the fonts of the page or worker that asks.
 * @throws {PictureError} its size or frame is none, there is no such kind, or the browser cannot draw.
 */
export function pictureFile(kind: PictureKind, wish: PictureWish): Promise<Blob> {
  return drawnFile(kind, (measure) => drawingOf(measure ? { ...wish, measure } : wish));
}

/**
 * A drawing as the file of a picture; `draw` is given what measures text by the fonts that there are, if anything does.
 * @throws {PictureError} there is no such kind, or the browser cannot draw; and whatever `draw` throws.
 */
export async function drawnFile(kind: PictureKind, draw: (measure?: Measure) => Drawing): Promise<Blob> {
  if (!PICTURE_KINDS.includes(kind)) {
    throw new PictureError(`“${String(kind).slice(0, 40)}” is no kind of picture.`, "Choose svg or png.");
  }
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
