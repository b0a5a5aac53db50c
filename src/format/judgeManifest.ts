import * as z from "zod/mini";
import { faultIn } from "./faultIn";
import { DTYPES, ManifestError, ManifestVersionError } from "./manifest";
import { modelFile, modelPath } from "./modelFile";

/** The version of `judge.json` that this code reads (export/FORMAT.md). */
const JUDGE_SCHEMA_VERSION = 1;

const count = z.int().check(z.positive());
const positive = z.number().check(z.positive());
const fromZero = z.number().check(z.minimum(0));

/** `judge.json` as written; what it means stands in export/FORMAT.md, and docs/public/schema has it as JSON Schema. */
export const judgeManifestSchema = z.object({
  schemaVersion: z.literal(JUDGE_SCHEMA_VERSION),
  name: z.string().check(z.minLength(1), z.maxLength(100)),
  title: z.string().check(z.minLength(1), z.maxLength(200)),
  description: z.string(),
  licence: z.string(),
  /** What it has learned. */
  corpus: z.string(),
  architecture: z.object({
    vocabularySize: count,
    /** Most tokens of a text, its end included. */
    maxLength: count,
    width: count,
    layers: count,
    heads: count,
    parameters: count,
  }),
  /** The token that ends a text. */
  eos: z.int().check(z.minimum(0)),
  graph: modelPath,
  /** Of one that answers sources, a translator: it reads them by a graph of its own. Others go on from a text, or stand alone. */
  source: z.optional(
    z.object({
      graph: modelPath,
      /** Most tokens of a source. */
      maxLength: count,
      /** The token that stands before every answer. */
      before: z.int().check(z.minimum(0)),
    }),
  ),
  weights: z.object({
    dtype: z.enum(DTYPES),
    index: modelPath,
    shards: z.array(modelPath).check(z.minLength(1)),
    bytes: count,
  }),
  /** Real texts that it has not learned, judged by these weights. */
  realText: z.object({
    texts: count,
    tokens: count,
    perplexity: positive,
    /** Mean over the texts, in nats. */
    entropy: fromZero,
    /** Single texts' figures. */
    samples: z.array(z.object({ entropy: fromZero, perplexity: positive })).check(z.maxLength(1000)),
  }),
  files: z.array(modelFile),
});

/** What is known of a judge before it is loaded. */
export type JudgeManifest = Readonly<z.infer<typeof judgeManifestSchema>>;

/**
 * Reads the text of a `judge.json`.
 * @throws {ManifestError | ManifestVersionError} it is none, or of another version; the message names the field.
 */
export function parseJudgeManifest(text: string): JudgeManifest {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw wrong("it is not JSON", cause);
  }
  const version = (json as { schemaVersion?: unknown } | null)?.schemaVersion;
  if (typeof version === "number" && version !== JUDGE_SCHEMA_VERSION) {
    throw new ManifestVersionError(
      `The judge has schema version ${version}, this page reads version ${JUDGE_SCHEMA_VERSION}.`,
      "Export it again with the `elf` of this version, or reload the page.",
    );
  }
  const result = judgeManifestSchema.safeParse(json);
  if (result.success) return result.data;
  const { field, how } = faultIn(result.error);
  throw wrong(`${field}: ${how}`);
}

function wrong(detail: string, cause?: unknown): ManifestError {
  return new ManifestError(`The judge's judge.json is wrong: ${detail}.`, "Export it again with `elf export-judge`.", {
    cause,
  });
}
