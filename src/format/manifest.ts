import * as z from "zod/mini";
import type { SelfCondStart } from "../flow/condition";
import { ElfError } from "../flow/errors";
import type { FlowConstants } from "../flow/sampler";
import type { SamplerSettings } from "../flow/settings";
import { faultIn } from "./faultIn";
import { modelFile, modelPath as path } from "./modelFile";
import { presetSchema } from "./presetSchema";
import { settingsSchema } from "./settingsSchema";

/** The versions of `manifest.json` that this code reads (export/FORMAT.md). The first does not say `selfCondStart`. */
const READ_VERSIONS = [2, 3] as const;

/** A `manifest.json` that is not what the format says. */
export class ManifestError extends ElfError {
  readonly code = "manifest";
}

/** A `manifest.json` written for another version of this code. */
export class ManifestVersionError extends ElfError {
  readonly code = "manifest-version";
}

const count = z.int().check(z.positive());
const fromZero = z.int().check(z.minimum(0));
const positive = z.number().check(z.positive());
const share = z.number().check(z.minimum(0), z.maximum(1));
const named = z.string().check(z.minLength(1));
/** How the weights may be stored; a model offers one or several. */
export const DTYPES = ["f32", "f16", "q8", "q4"] as const;
/** A form of stored weights: 32 or 16 bits a weight, or quantised to 8 or 4. */
export type Dtype = (typeof DTYPES)[number];

/** `fused` and `packed` compute the same as `file`, with kernels or weights that not every device handles. */
const graph = z.object({
  file: path,
  fused: z.optional(path),
  packed: z.optional(z.partialRecord(z.enum(["q8", "q4"]), path)),
});

/** Most example prompts. */
const MOST_EXAMPLES = 8;
/** Most presets. */
const MOST_PRESETS = 6;

const storedWeights = z.object({
  index: path,
  shards: z.array(path).check(z.minLength(1)),
  /** Of all shards together. */
  bytes: count,
  /** Stored inputs and outputs of the graphs with these weights. */
  selfTest: z.optional(path),
  /** Share of the tokens of whole runs that are those of the float32 weights. */
  tokenAgreement: share,
  normalisedEditDistance: share,
  /** The text differs noticeably from what the float32 weights write. */
  approximate: z.boolean(),
});

/** `manifest.json` as written; what it means stands in export/FORMAT.md, and docs/public/schema has it as JSON Schema. */
export const manifestSchema = z.pipe(
  z
    .object({
      schemaVersion: z.literal(READ_VERSIONS),
      name: named,
      title: named,
      description: z.string(),
      task: z.enum(["unconditional", "conditional"]),
      licence: z.string(),
      architecture: z.object({
        depth: count,
        hiddenSize: count,
        heads: count,
        /** D, width of one latent. */
        latentSize: count,
        bottleneckSize: count,
        vocabularySize: count,
        /** Most positions of a run, those of a prompt included. */
        maxLength: count,
        /** Most tokens of a prompt; 0, and absent, where the model takes none. */
        maxInputLength: z._default(fromZero, 0),
        /** Whether a model that takes prompts also writes without one. */
        sourceOptional: z._default(z.boolean(), false),
        /** Prefix tokens that tell the network its self-conditioning scale; with 0, guidance takes a second pass. */
        selfCondCfgTokens: z._default(fromZero, 4),
        parameters: count,
      }),
      latent: z.object({
        /** s, standard deviation of the noise at t = 0. */
        noiseScale: positive,
        tEps: z.number().check(z.positive(), z.maximum(1)),
        mean: z.union([z.number(), z.array(z.number())]),
        std: z.union([positive, z.array(positive)]),
        /** The directions that its runs are drawn in, all alike (`flow/latentBasis.ts`). */
        basis: z.optional(
          z.object({
            mean: z.array(z.number()),
            directions: z.tuple([z.array(z.number()), z.array(z.number())]),
            reach: positive,
          }),
        ),
      }),
      schedule: z.object({ pMean: z.number(), pStd: positive }),
      /** What x̂ starts with at the places of a prompt, as in training. */
      selfCondStart: z.optional(z.enum(["condition", "zero"])),
      tokens: z.object({ pad: fromZero, eos: fromZero, unk: fromZero }),
      /** `logits`: whether the decoder gives them all; of a large vocabulary they would be hundreds of megabytes. */
      decoder: z.object({ topK: count, logits: z.boolean() }),
      // Older readers know no curve of γ and would pass over one: a model's own settings have none.
      defaults: z.omit(settingsSchema, { gammaCurve: true }),
      /** Prompts that its maker offers to try. */
      examples: z._default(z.array(z.string().check(z.trim(), z.minLength(1))).check(z.maxLength(MOST_EXAMPLES)), []),
      presets: z._default(z.array(presetSchema).check(z.maxLength(MOST_PRESETS)), []),
      graphs: z.object({ prefix: graph, denoiser: graph, decoder: graph, encoder: z.optional(graph) }),
      dtypes: z.partialRecord(z.enum(DTYPES), storedWeights),
      defaultDtype: z.enum(DTYPES),
      /** Where the checkpoint came from. */
      source: z.optional(z.object({ repository: z.string(), revision: z.string() })),
      files: z.array(modelFile),
    })
    .check(({ value: manifest, issues }) => {
      const refuse = (path: (string | number)[], message: string) =>
        issues.push({ code: "custom", input: manifest, path, message });
      if (manifest.schemaVersion > 2 && !manifest.selfCondStart) {
        refuse(["selfCondStart"], "must be condition or zero");
      }
      const D = manifest.architecture.latentSize;
      for (const field of ["mean", "std"] as const) {
        const value = manifest.latent[field];
        if (Array.isArray(value) && value.length !== D) {
          refuse(["latent", field], `must hold latentSize = ${D} numbers`);
        }
      }
      const { basis } = manifest.latent;
      if (basis && [basis.mean, ...basis.directions].some(({ length }) => length !== D)) {
        refuse(["latent", "basis"], `must hold latentSize = ${D} numbers in its mean and each direction`);
      }
      if (manifest.defaults.length > manifest.architecture.maxLength) {
        refuse(["defaults", "length"], "must not exceed maxLength");
      }
      if (manifest.architecture.maxInputLength >= manifest.architecture.maxLength) {
        refuse(["architecture", "maxInputLength"], "must be below maxLength");
      }
      for (const path of manifest.architecture.maxInputLength === 0 ? promptWords(manifest) : []) {
        refuse(path, "is for models with a maxInputLength above 0");
      }
      const checkSolver = (
        path: (string | number)[],
        { method, solver }: Pick<SamplerSettings, "method" | "solver">,
      ) => {
        if (method === "ode" || solver === "euler") return;
        refuse([...path, "solver"], "must be euler, as the SDE has no other");
      };
      checkSolver(["defaults"], manifest.defaults);
      for (const [at, { settings }] of manifest.presets.entries()) {
        checkSolver(["presets", at, "settings"], { ...manifest.defaults, ...settings });
      }
      if (manifest.architecture.maxInputLength > 0 && !manifest.graphs.encoder) {
        refuse(["graphs", "encoder"], "is needed to read prompts");
      }
      if (!manifest.dtypes[manifest.defaultDtype]) {
        refuse(["defaultDtype"], "must be one of dtypes");
      }
      const listed = new Map(manifest.files.map((file) => [file.path, file.bytes]));
      const needs = (path: string[], needed: readonly (string | undefined)[]) => {
        for (const file of needed) {
          if (file === undefined || listed.has(file)) continue;
          refuse(path, `needs ${file}, which files omits`);
        }
      };
      for (const [name, entry] of Object.entries(manifest.graphs)) {
        if (entry) needs(["graphs", name], [entry.file, entry.fused, ...Object.values(entry.packed ?? {})]);
      }
      for (const [name, { index, shards, selfTest, bytes }] of Object.entries(manifest.dtypes)) {
        needs(["dtypes", name], [index, ...shards, selfTest]);
        if (shards.reduce((sum, shard) => sum + (listed.get(shard) ?? 0), 0) !== bytes) {
          refuse(["dtypes", name, "bytes"], "must be that of its shards");
        }
      }
    }),
  z.transform((manifest) => ({ ...manifest, selfCondStart: startOf(manifest) })),
);

/**
 * What x̂ starts with. Where a manifest of version 2 is silent, only trainings by the official code started with the
 * condition. Their models are known by their source, which only official checkpoints brought with them, or else by the
 * latents of T5-small, which no published training of this project had.
 */
function startOf(manifest: {
  readonly schemaVersion: number;
  readonly selfCondStart?: SelfCondStart | undefined;
  readonly latent: { readonly mean: unknown; readonly std: unknown };
  readonly source?: unknown;
}): SelfCondStart {
  const { schemaVersion, selfCondStart, latent, source } = manifest;
  if (schemaVersion > 2 && selfCondStart) return selfCondStart;
  return source !== undefined || (latent.mean === 0 && latent.std === 0.2) ? "condition" : "zero";
}

/** The fields by which a manifest speaks of prompts. */
function promptWords({
  architecture,
  examples,
  presets,
}: {
  architecture: { sourceOptional: boolean };
  examples: readonly string[];
  presets: readonly z.infer<typeof presetSchema>[];
}): (string | number)[][] {
  const guided = presets.flatMap(({ settings }, at) => ((settings.cfgScale ?? 1) === 1 ? [] : [at]));
  return [
    ...(architecture.sourceOptional ? [["architecture", "sourceOptional"]] : []),
    ...(examples.length > 0 ? [["examples"]] : []),
    ...guided.map((at) => ["presets", at, "settings", "cfgScale"]),
  ];
}

/** `manifest.json` of an exported model: shapes, constants of its flow, defaults, and every file with its SHA-256. */
export type Manifest = Readonly<z.infer<typeof manifestSchema>> & { readonly defaults: SamplerSettings };

/** What the flow of a model needs to know of it. */
export function flowConstants({ latent, schedule, selfCondStart }: Manifest): FlowConstants {
  return { noiseScale: latent.noiseScale, tEps: latent.tEps, ...schedule, selfCondStart };
}

/** One way in which an exported model's weights are stored. */
export type StoredDtype = NonNullable<Manifest["dtypes"][Dtype]>;

/** One file of an exported model. */
export type ManifestFile = Manifest["files"][number];

/**
 * Reads the text of a `manifest.json`.
 * @throws {ManifestVersionError} the file is of another schema version.
 * @throws {ManifestError} it is no JSON, or a field is missing or wrong; the message names the field.
 */
export function parseManifest(text: string): Manifest {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new ManifestError("manifest.json is not JSON.", "Export the model again with `elf export`.", { cause });
  }
  const version = (json as { schemaVersion?: unknown } | null)?.schemaVersion;
  // Version first: a newer file fails on its fields too, and that would name the wrong cause.
  if (typeof version === "number" && !READ_VERSIONS.some((known) => known === version)) {
    throw new ManifestVersionError(
      `manifest.json has schema version ${version}; this page reads versions ${READ_VERSIONS.join(" and ")}.`,
      version > Math.max(...READ_VERSIONS)
        ? "Reload the page to get its newest version, or export the model again with this repository's `elf export`."
        : "Export the model again with this repository's `elf export`.",
    );
  }
  const result = manifestSchema.safeParse(json);
  if (!result.success) {
    const { field, how } = faultIn(result.error);
    throw new ManifestError(
      `manifest.json is wrong at ${field}: ${how}.`,
      "Export the model again with `elf export`; a manifest is not meant to be written by hand.",
    );
  }
  return result.data;
}
