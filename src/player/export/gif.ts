/** A run as a picture that moves: its frames, drawn as single pictures are, one after another in a GIF file. */
import { CancelledError } from "../../flow/errors";
import { measureBy, newContext, paint } from "./canvas";
import { mix, PALETTES, type Palette } from "./colours";
import { drawingOf, PictureError } from "./drawing";
import { type MovingWish, momentsOf } from "./moving";

/** Browsers show faster ones slowly. */
const FASTEST = 50;
/** Pixels of all frames together; a core packs some 50 million in a second. */
const MOST_PIXELS = 5e8;
/** Milliseconds of work, after which the page has its turn. */
const TURN = 50;

/** In all of them, the place of “as in the frame before”. */
const SAME = 0;
const BITS = 6;
/** Inks between sure and anything, and how much of a pixel an ink covers: enough for words whose edges look round. */
const INKS = 6;
const COVERS = 6;

/**
 * The frames of a run from noise to `index` as a GIF file that plays again and again, with the run's recipe in its comment.
 * @throws {PictureError} its size, speed or frame is none, all frames together are too large, or the browser cannot draw.
 * @throws {CancelledError} `signal` said so.
 */
export async function gifFile(wish: MovingWish): Promise<Blob> {
  const { index, theme = "light", width = 880, height = 420, fps = 8, onProgress, signal } = wish;
  if (!(fps >= 1 && fps <= FASTEST)) {
    throw new PictureError(`fps is ${fps}.`, `Give a number of steps in a second, from 1 to ${FASTEST}.`);
  }
  const context = newContext({ willReadFrequently: true });
  if (!context) throw new PictureError("This browser does not draw pictures.", "Take svg, or another browser.");
  const measure = measureBy(context);
  const draw = (step: number) => drawingOf({ ...wish, theme, width, height, measure, index: step });
  // What is wrong with the wish, the last frame says before anything is made.
  const { note } = draw(index);
  if (width * height * (index + 1) > MOST_PIXELS) {
    const most = Math.floor(Math.sqrt(MOST_PIXELS / (index + 1) / (width / height)));
    throw new PictureError(
      `${index + 1} frames of ${width} × ${height} pixels are too much for one GIF.`,
      `Give a smaller width and height, such as ${Math.floor((most * width) / height)} × ${most}, or an earlier step.`,
    );
  }
  Object.assign(context.canvas, { width, height });
  const { GIFEncoder } = await encoderPart();
  const gif = GIFEncoder();
  const palette = paletteOf(PALETTES[theme]);
  const nearest = nearestIn(palette);
  const shown = new Uint8Array(width * height);
  let turn = performance.now();
  const moments = momentsOf(wish.run, index, fps);
  for (const [place, { step, milliseconds }] of moments.entries()) {
    if (performance.now() - turn > TURN) {
      await new Promise((resolve) => setTimeout(resolve));
      turn = performance.now();
    }
    if (signal?.aborted) throw new CancelledError("The GIF was cancelled.");
    paint(draw(step), context);
    gif.writeFrame(changes(context.getImageData(0, 0, width, height), shown, nearest), width, height, {
      ...(step === 0 ? { palette } : {}),
      colorDepth: BITS,
      transparent: step > 0,
      transparentIndex: SAME,
      // What is not drawn anew stays.
      dispose: 1,
      delay: milliseconds,
    });
    onProgress?.(place + 1, moments.length);
  }
  writeComment(gif.stream, note);
  gif.finish();
  return new Blob([gif.bytes()], { type: "image/gif" });
}

/** Fetched when the first GIF is wanted; where that fails, some browsers fetch it again in a page loaded anew only. */
async function encoderPart() {
  try {
    return await import("gifenc");
  } catch (cause) {
    throw new PictureError(
      "The part of the script that packs GIFs did not come.",
      "Reload the page, or take svg or png.",
      {
        cause,
      },
    );
  }
}

type Colour = [red: number, green: number, blue: number];

/** Every ink of a picture in steps of how much of the paper it covers. All frames share it, and flat grounds stay flat. */
function paletteOf(colours: Palette): Colour[] {
  const { paper, ink, mist, inkSoft, inkFaint, flow, line } = colours;
  const inks = Array.from({ length: INKS }, (_, i) => mix(ink, mist, i / (INKS - 1)));
  const ground = bytesOf(paper);
  const covered = [...inks, inkSoft, inkFaint, flow, line].flatMap((colour) =>
    Array.from({ length: COVERS }, (_, i) => {
      const share = (i + 1) / COVERS;
      return bytesOf(colour).map((byte, at) => Math.round(byte * share + (ground[at] ?? 0) * (1 - share))) as Colour;
    }),
  );
  return [ground, ground, ...covered];
}

function bytesOf(colour: string): Colour {
  return [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16)) as Colour;
}

/** Finds the place in a palette that is nearest to a pixel, `0x??BBGGRR`; what it found once it remembers. */
function nearestIn(palette: readonly Colour[]): (pixel: number) => number {
  const known = new Map<number, number>();
  return (pixel) => {
    const found = known.get(pixel);
    if (found !== undefined) return found;
    const [r, g, b] = [pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255];
    let best = SAME + 1;
    let least = Number.POSITIVE_INFINITY;
    for (let at = SAME + 1; at < palette.length; at++) {
      const [red, green, blue] = palette[at] as Colour;
      const distance = (red - r) ** 2 + (green - g) ** 2 + (blue - b) ** 2;
      if (distance < least) [best, least] = [at, distance];
    }
    known.set(pixel, best);
    return best;
  };
}

/** A frame by its palette, `SAME` where nothing changes; `shown` becomes what is then seen. */
function changes({ data }: ImageData, shown: Uint8Array, nearest: (pixel: number) => number): Uint8Array {
  const pixels = new Uint32Array(data.buffer);
  const out = new Uint8Array(pixels.length);
  let last = -1;
  let place = SAME;
  for (let at = 0; at < pixels.length; at++) {
    const pixel = pixels[at] ?? 0;
    if (pixel !== last) [last, place] = [pixel, nearest(pixel)];
    if (shown[at] === place) continue;
    out[at] = place;
    shown[at] = place;
  }
  return out;
}

/** A comment, in blocks of 255 bytes at most; GIF's are ASCII, and JSON can be. */
function writeComment(stream: { writeByte(byte: number): void; writeBytes(bytes: Uint8Array): void }, text: string) {
  const ascii = text.replace(/[^ -~]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);
  const bytes = new TextEncoder().encode(ascii);
  stream.writeByte(0x21);
  stream.writeByte(0xfe);
  for (let at = 0; at < bytes.length; at += 255) {
    const block = bytes.subarray(at, at + 255);
    stream.writeByte(block.length);
    stream.writeBytes(block);
  }
  stream.writeByte(0);
}
