import * as z from "zod/mini";
import { ElfError } from "../flow/errors";
import type { HeldToken } from "../flow/held";
import type { Reading } from "../flow/network";
import { PATH_UNIT, type Paths } from "../flow/paths";
import { type Branch, branchAt, goesBackTooFar, LONGEST_CHAIN, type Recipe, recipeOf } from "../flow/recipe";
import { SETTING_LIMITS } from "../flow/settings";
import { type Frame, type Trajectory, wholeFrames } from "../flow/trajectory";
import { faultIn } from "./faultIn";
import { namedTokens } from "./namedTokens";
import { settingsSchema, towardsSchema } from "./settingsSchema";

/**
 * A recorded run, small enough to ship with the page (`public/traces/NAME.json`), so that there is something to see
 * before any weights load; and a run to go on from. Written by `npm run generate -- --trace FILE`.
 */
export interface RecordedRun {
  /** The model's title, as a person reads it. */
  readonly title: string;
  readonly trajectory: Trajectory;
  /** Piece of each token id that the recording names, at its id; `""` elsewhere. Used like `LoadedModel.pieces`. */
  readonly pieces: readonly string[];
  /** The end-of-sequence token, after which nothing counts; null where the vocabulary has none. */
  readonly eos: number | null;
  /** Final text, cut at the first end-of-sequence token. */
  readonly text: string;
}

/** A trace file that is not what this module writes. */
export class TraceError extends ElfError {
  readonly code = "trace";
}

// Version 2 says what a run holds, which run it continues, and which token ends a text. Version 1 knew runs from noise alone
// and left the end to be guessed by its spelling. Version 3 is written only where a run, or one that it goes on from, starts
// otherwise than from the noise of its seed, or has γ drawn over t: a reader of version 2 would pass over that, and go on from
// another run.
const VERSIONS = [1, 2, 3] as const;
const END_OF_VERSION_1 = "</s>";

/** How many of a position's most likely tokens are kept. The decoder's further ones are not worth their bytes. */
const KEPT_TOKENS = 3;

/** Ids of a larger vocabulary than any is: a trace from a stranger must not have the page reserve room for them. */
const MOST_TOKENS = 2 ** 21;

/** Times of the longest chain of runs, each of the most steps. */
const MOST_TIMES = LONGEST_CHAIN * SETTING_LIMITS.steps.greatest + 1;

const tokenId = z.int().check(z.minimum(0), z.maximum(MOST_TOKENS));
const count = z.int().check(z.minimum(0));

const reading = z
  .object({
    /** Nats, two decimals; one number per position. */
    entropy: z.array(z.number().check(z.minimum(0))),
    /** Per position `[id, percent, id, percent, …]`, best first; the first id is the position's token, unless that is held. */
    top: z.array(z.array(tokenId).check(z.minLength(2))),
  })
  .check(
    z.refine(
      ({ entropy, top }) =>
        top.length === entropy.length && top.every(({ length }) => length % 2 === 0 && length === top[0]?.length),
      "every position has to have an entropy and as many tokens as the others",
    ),
  );

const recipeShape = {
  settings: settingsSchema,
  /** What a conditional model wrote to; the frames are of the text behind it alone. Only a run from noise has it. */
  prompt: z.exactOptional(z.union([z.object({ text: z.string() }), z.object({ ids: z.array(tokenId) })])),
  /** Whose noise it starts towards, and how far; only a run from noise has it. */
  towards: z.exactOptional(towardsSchema),
  /** The tokens of the text from whose noise it starts; only a run from noise has them. */
  back: z.exactOptional(z.object({ ids: z.array(tokenId) })),
  held: z.exactOptional(z.array(z.object({ position: count, token: tokenId }))),
};

/** What decides a run, down to the noise that the first of its chain began with. */
export const recipeSchema = z.object({
  ...recipeShape,
  /** Where it goes on from another run. */
  get from(): z.ZodMiniExactOptional<z.ZodMiniType<Branch>> {
    return z.exactOptional(branchSchema);
  },
});

const branchSchema = z.object({
  get run(): z.ZodMiniType<Recipe> {
    return recipeSchema;
  },
  step: count,
});

const thousandth = z.int().check(z.minimum(-PATH_UNIT), z.maximum(PATH_UNIT));

/** Where every position is at every frame: x, y of the first position, of the next, … of frame 0, of frame 1, … */
const paths = z.object({
  basis: z.enum(["model", "run"]),
  holds: z.array(thousandth),
  expects: z.array(thousandth),
});

const frame = z.object({ step: count, t: z.number(), holds: reading, expects: z.optional(reading) });

/** A recorded run as written; docs/public/schema has it as JSON Schema. */
export const traceSchema = z
  .object({
    version: z.literal(VERSIONS),
    recorded: z.literal(true),
    model: z.string(),
    title: z.string(),
    text: z.string(),
    ...recipeShape,
    from: z.exactOptional(branchSchema),
    eos: z.exactOptional(z.nullable(tokenId)),
    times: z.array(z.number()).check(z.maxLength(MOST_TIMES)),
    pieces: z.record(
      z.string().check(
        z.regex(/^\d{1,7}$/),
        z.refine((id) => Number(id) <= MOST_TOKENS),
      ),
      z.string(),
    ),
    /** Where they have been found; they add about a third to the file. */
    paths: z.exactOptional(paths),
    frames: z.array(frame).check(z.minLength(1)),
  })
  .check(
    z.refine(({ frames, times }) => frames.length <= times.length, "there are more frames than times"),
    z.refine(
      ({ frames }) =>
        frames.every(({ holds, expects = holds }) =>
          [holds, expects].every(({ top }) => top.length === frames[0]?.holds.top.length),
        ),
      "every frame has to have as many positions as the others",
    ),
    z.refine(
      ({ frames, paths }) =>
        !paths ||
        [paths.holds, paths.expects].every(
          ({ length }) => length === 2 * frames.length * (frames[0]?.holds.top.length ?? 0),
        ),
      { error: "every position of every frame has to have a place", path: ["paths"] },
    ),
  );

type TraceFile = z.infer<typeof traceSchema>;
type TraceReading = z.infer<typeof reading>;

/** What a trace has of the model that wrote it. */
export interface TracedModel {
  readonly title: string;
  readonly tokens: { readonly eos: number | null };
}

/** Writes a finished run as the text of a trace file, one frame per line. */
export function writeTrace(run: Omit<RecordedRun, "title" | "eos">, manifest: TracedModel): string {
  const { trajectory, pieces, text } = run;
  const frames = wholeFrames(trajectory.frames).map(packFrame);
  const named = frames.flatMap(({ holds, expects }) => [idsOf(holds), ...(expects ? [idsOf(expects)] : [])]);
  const ids = namedTokens(trajectory, named).sort((a, b) => a - b);
  const head = {
    version: isOfVersion2(trajectory) ? 2 : 3,
    recorded: true,
    model: trajectory.model,
    title: manifest.title,
    text,
    ...recipeOf(trajectory),
    eos: manifest.tokens.eos,
    times: trajectory.times.map((t) => round(t, 5)),
    pieces: Object.fromEntries(ids.map((id) => [id, pieces[id] ?? ""])),
    ...(trajectory.paths ? { paths: packPaths(trajectory.paths) } : {}),
  };
  const lines = frames.map((frame) => JSON.stringify(frame)).join(",\n");
  return `${JSON.stringify(head).slice(0, -1)},"frames":[\n${lines}\n]}\n`;
}

/**
 * Reads the text of a trace file.
 * @throws {TraceError} it is no trace; the message names the field.
 */
export function readTrace(text: string): RecordedRun {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new TraceError("The recorded run is not JSON.", "Record it again: npm run generate -- --trace FILE", {
      cause,
    });
  }
  if (goesBackTooFar(json)) {
    throw new TraceError(
      `The recorded run goes back over more than ${LONGEST_CHAIN - 1} others.`,
      "Record it again: npm run generate -- --trace FILE",
    );
  }
  const result = traceSchema.safeParse(json);
  if (!result.success) {
    const { field, how } = faultIn(result.error);
    throw new TraceError(
      `The recorded run is wrong at ${field}: ${how}.`,
      "Record it again: npm run generate -- --trace FILE",
    );
  }
  const { title, model, times, frames, pieces, version, eos, paths, ...recipe } = result.data;
  const lookup: string[] = [];
  for (const [id, piece] of Object.entries(pieces)) lookup[Number(id)] = piece;
  const known = Array.from(lookup, (piece) => piece ?? "");
  const guessed = version === 1 ? known.indexOf(END_OF_VERSION_1) : -1;
  return {
    title,
    text: result.data.text,
    trajectory: {
      ...recipeOf(recipe),
      model,
      times,
      frames: frames.map((frame) => unpackFrame(frame, recipe)),
      ...(paths ? { paths: unpackPaths(paths, frames.length) } : {}),
    },
    pieces: known,
    eos: eos ?? (guessed < 0 ? null : guessed),
  };
}

function isOfVersion2({ settings, towards, back, from }: Recipe): boolean {
  return !settings.gammaCurve && !towards && !back && (!from || isOfVersion2(from.run));
}

function packFrame({ step, t, holds, expects }: Frame): TraceFile["frames"][number] {
  const packed = { step, t: round(t, 5), holds: packReading(holds) };
  // Nothing is expected before the first step: frame 0 holds the same reading twice.
  return step === 0 ? packed : { ...packed, expects: packReading(expects) };
}

function unpackFrame({ step, t, holds, expects }: TraceFile["frames"][number], recipe: Recipe): Frame {
  const { held = [] } = branchAt(recipe, step).run;
  const reading = unpackReading(holds, held);
  return { step, t, holds: reading, expects: expects ? unpackReading(expects, held) : reading };
}

function packPaths({ basis, holds, expects }: Paths): NonNullable<TraceFile["paths"]> {
  return { basis, holds: Array.from(holds), expects: Array.from(expects) };
}

function unpackPaths({ basis, holds, expects }: NonNullable<TraceFile["paths"]>, frames: number): Paths {
  const length = holds.length / (2 * frames);
  return { basis, length, holds: Int16Array.from(holds), expects: Int16Array.from(expects) };
}

function packReading({ tokens, entropy, topTokens, topProbabilities }: Reading): TraceReading {
  const k = topTokens.length / tokens.length;
  const kept = Math.min(KEPT_TOKENS, k);
  return {
    entropy: Array.from(entropy, (nats) => round(Math.max(0, nats), 2)),
    top: Array.from(tokens, (_, position) =>
      Array.from({ length: kept }, (_, rank) => [
        topTokens[position * k + rank] ?? 0,
        Math.round(100 * (topProbabilities[position * k + rank] ?? 0)),
      ]).flat(),
    ),
  };
}

/** A held token is read as itself, whatever the decoder makes of its embedding (`cutToText`). */
function unpackReading({ entropy, top }: TraceReading, held: readonly HeldToken[]): Reading {
  const tokens = Int32Array.from(top, (entries) => entries[0] ?? 0);
  for (const { position, token } of held) tokens[position] = token;
  const ids = top.flatMap((entries) => entries.filter((_, i) => i % 2 === 0));
  const percents = top.flatMap((entries) => entries.filter((_, i) => i % 2 === 1));
  return {
    tokens,
    entropy: Float32Array.from(entropy),
    topTokens: Int32Array.from(ids),
    topProbabilities: Float32Array.from(percents, (percent) => percent / 100),
  };
}

function idsOf({ top }: TraceReading): number[] {
  return top.flatMap((entries) => entries.filter((_, i) => i % 2 === 0));
}

function round(value: number, decimals: number): number {
  return Number(value.toFixed(decimals));
}
