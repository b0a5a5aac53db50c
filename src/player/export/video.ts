/** A run as a film: its frames, drawn as single pictures are, encoded by the browser and packed as MP4 or, where it has no encoder for that, WebM. */
import { CancelledError } from "../../flow/errors";
import { measureBy, newContext, paint } from "./canvas";
import { drawingOf, PictureError } from "./drawing";
import { type MovingWish, momentsOf } from "./moving";

export type VideoWish = Omit<MovingWish, "width" | "height">;

/** Full HD, which every site that takes films shows as it is. Encoders want even sides. */
const WIDTH = 1920;
const HEIGHT = 1080;
/** Longest that a frame stands, in milliseconds: players end a film early whose last frame stands for seconds. */
const LONGEST = 500;

/** What a film may be packed and encoded as, best known first. */
const KINDS = [
  { kind: "mp4", codec: "avc" },
  { kind: "webm", codec: "vp9" },
  { kind: "webm", codec: "vp8" },
] as const;

/**
 * The frames of a run from noise to `index` as a film of 1920 × 1080, with the run's recipe in its metadata.
 * @throws {PictureError} its frame is none, or the browser encodes no films.
 * @throws {CancelledError} `signal` said so.
 */
export async function videoFile(wish: VideoWish): Promise<Blob> {
  const { run, index, theme = "light", fps = 8, onProgress, signal } = wish;
  const context = newContext();
  if (!context) throw noEncoder();
  const measure = measureBy(context);
  const draw = (step: number) => drawingOf({ ...wish, theme, width: WIDTH, height: HEIGHT, measure, index: step });
  // What is wrong with the wish, the last frame says before anything is made.
  const { note, title } = draw(index);
  Object.assign(context.canvas, { width: WIDTH, height: HEIGHT });
  const bunny = await packerPart();
  paint(draw(0), context);
  for (const { kind, codec } of KINDS) {
    const quality = bunny.QUALITY_HIGH;
    if (!(await bunny.canEncodeVideo(codec, { width: WIDTH, height: HEIGHT, quality }).catch(() => false))) continue;
    const target = new bunny.BufferTarget();
    const format =
      kind === "mp4" ? new bunny.Mp4OutputFormat({ fastStart: "in-memory" }) : new bunny.WebMOutputFormat();
    const output = new bunny.Output({ format, target });
    const source = new bunny.CanvasSource(context.canvas, { codec, quality });
    output.addVideoTrack(source);
    output.setMetadataTags({ title, comment: note });
    try {
      await output.start();
      const moments = momentsOf(run, index, fps);
      let at = 0;
      for (const [place, { step, milliseconds }] of moments.entries()) {
        if (signal?.aborted) throw new CancelledError("The film was cancelled.");
        paint(draw(step), context);
        for (let left = milliseconds; left > 0; left -= LONGEST) {
          const stands = Math.min(left, LONGEST) / 1000;
          await source.add(at, stands);
          at += stands;
        }
        onProgress?.(place + 1, moments.length);
      }
      await output.finalize();
    } catch (error) {
      await output.cancel().catch(() => undefined);
      // Some browsers say that they encode what they then do not: the next kind is tried.
      if (error instanceof CancelledError || error instanceof PictureError) throw error;
      continue;
    }
    if (target.buffer) return new Blob([target.buffer], { type: `video/${kind}` });
  }
  throw noEncoder();
}

function noEncoder(): PictureError {
  return new PictureError("This browser encodes no films.", "Save the run as a GIF, or use another browser.");
}

/** Fetched when the first film is wanted; where that fails, some browsers fetch it again in a page loaded anew only. */
async function packerPart() {
  try {
    return await import("./filmParts");
  } catch (cause) {
    throw new PictureError("The part of the script that packs films did not come.", "Reload the page, or save a GIF.", {
      cause,
    });
  }
}
