/**
 * How a page speaks with the element in its frame, by `postMessage`. Every message says the version of this protocol. A page
 * calls a method and is answered under the id that it gave; the frame tells of heights and events by itself. Both hear and
 * tell the one origin only that the frame's address names (`?origin=`).
 */
import * as z from "zod/mini";
import type { NamedProblem } from "../flow/errors";
import { ElfError } from "../flow/errors";
import { faultIn } from "../format/faultIn";
import type { ElfEventName, ElfEvents } from "./events";

export const FRAME_VERSION = 1;

/** A message that is not one of this protocol, or an origin that is none. */
export class FrameError extends ElfError {
  readonly code = "frame";
}

/** γ over t, `gammaCurve`: the only setting that is no word and no number. */
const curve = z.array(z.tuple([z.number(), z.number()]));

const wish = z.object({
  prompt: z.exactOptional(z.string()),
  seed: z.exactOptional(z.int()),
  settings: z.exactOptional(z.record(z.string(), z.union([z.string(), z.number(), curve]))),
});

const call = z.discriminatedUnion("method", [
  z.object({ method: z.enum(["play", "pause", "cancel"]) }),
  z.object({ method: z.literal("seek"), argument: z.number() }),
  z.object({ method: z.literal("generate"), argument: z.optional(wish) }),
]);

const id = z.union([z.string().check(z.maxLength(64)), z.number()]);

export type FrameCall = z.infer<typeof call> & { readonly id: z.infer<typeof id> };

/** What the frame says. */
export type FrameMessage = { readonly elf: typeof FRAME_VERSION } & (
  | { readonly type: "ready" }
  /** How high the frame had best be, in CSS pixels. */
  | { readonly type: "height"; readonly height: number }
  | { readonly type: "event"; readonly name: ElfEventName; readonly detail: ElfEvents[ElfEventName] }
  /** To the call of this id; `problem` is null where all is well. */
  | {
      readonly type: "answer";
      readonly id: FrameCall["id"];
      readonly result: unknown;
      readonly problem: NamedProblem | null;
    }
);

/**
 * Reads a message of the page around; null where it is somebody else's, a `FrameError` to be answered where it is wrong.
 */
export function readCall(
  data: unknown,
): FrameCall | { readonly id: FrameCall["id"]; readonly error: FrameError } | null {
  if (typeof data !== "object" || data === null || !("elf" in data)) return null;
  const given = id.safeParse("id" in data ? data.id : undefined);
  if (!given.success) return null;
  if (data.elf !== FRAME_VERSION) {
    return {
      id: given.data,
      error: new FrameError(
        `The message is of version ${String(data.elf).slice(0, 20)}.`,
        `This frame speaks version ${FRAME_VERSION}.`,
      ),
    };
  }
  const read = call.safeParse(data);
  if (read.success) return { ...read.data, id: given.data };
  const { field, how } = faultIn(read.error);
  return {
    id: given.data,
    error: new FrameError(`The message is wrong at ${field}: ${how}.`, "docs/embed.md has the messages of version 1."),
  };
}

/**
 * The origin that a frame's address names; null where it names none.
 * @throws {FrameError} it is none of a page on the web, `*` among them.
 */
export function originIn(search: string): string | null {
  const named = new URLSearchParams(search).get("origin");
  if (named === null) return null;
  const url = URL.canParse(named) ? new URL(named) : null;
  if (url && /^https?:$/.test(url.protocol) && url.origin === named.replace(/\/$/, "")) return url.origin;
  throw new FrameError(
    `“${named.slice(0, 80)}” is no origin.`,
    "Give origin=https://HOST, that of the page around, or leave it out: then the frame tells nobody anything.",
  );
}
