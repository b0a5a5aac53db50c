import { z } from "zod";
import { ElfError } from "../flow/errors";
import { type SamplerSettings, SETTING_CHOICES, SETTING_LIMITS } from "../flow/settings";

/** The version of `manifest.json` that this code reads (export/FORMAT.md). */
export const MANIFEST_SCHEMA_VERSION = 1;

/** A `manifest.json` that is not what the format says. */
export class ManifestError extends ElfError {
  readonly code = "manifest";
}

/** A `manifest.json` written for another version of this code. */
export class ManifestVersionError extends ElfError {
  readonly code = "manifest-version";
}

const count = z.int().positive();
const path = z
  .string()
  .regex(/^(?!\/)(?!.*(^|\/)\.\.?(\/|$))[^\\:?#]+$/, "must be a path inside the model's folder, with forward slashes");
const graph = z.object({ file: path, weights: z.array(path) });

/** The sampler settings as JSON; `length` is bounded by the model, not here. */
export const settingsSchema = z.object({
  steps: limited("steps"),
  method: z.enum(SETTING_CHOICES.method),
  gamma: limited("gamma"),
  selfCondScale: limited("selfCondScale"),
  // Absent from what older versions wrote, which knew neither.
  cfgScale: limited("cfgScale").default(1),
  schedule: z.enum(SETTING_CHOICES.schedule),
  solver: z.enum(SETTING_CHOICES.solver).default("euler"),
  rng: z.enum(SETTING_CHOICES.rng),
  seed: limited("seed"),
  length: count,
});

function limited(name: keyof typeof SETTING_LIMITS) {
  const { least, greatest, integer } = SETTING_LIMITS[name];
  return (integer ? z.int() : z.number()).min(least).max(greatest);
}

const schema = z
  .object({
    schemaVersion: z.literal(MANIFEST_SCHEMA_VERSION),
    name: z.string().min(1),
    title: z.string().min(1),
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
      maxInputLength: z.int().min(0).default(0),
      /** Prefix tokens that tell the network its self-conditioning scale; with 0, guidance takes a second pass. */
      selfCondCfgTokens: z.int().min(0).default(4),
      parameters: count,
    }),
    latent: z.object({
      /** s, standard deviation of the noise at t = 0. */
      noiseScale: z.number().positive(),
      tEps: z.number().positive().max(1),
      mean: z.union([z.number(), z.array(z.number())]),
      std: z.union([z.number().positive(), z.array(z.number().positive())]),
    }),
    schedule: z.object({ pMean: z.number(), pStd: z.number().positive() }),
    tokens: z.object({ pad: z.int().min(0), eos: z.int().min(0), unk: z.int().min(0) }),
    decoder: z.object({ topK: count }),
    dtype: z.enum(["f32", "f16"]),
    defaults: settingsSchema,
    graphs: z.object({ denoiser: graph, decoder: graph, encoder: graph.optional() }),
    files: z.array(
      z.object({
        path,
        bytes: z.int().min(0),
        sha256: z.string().regex(/^[0-9a-f]{64}$/, "must be 64 lower-case hexadecimal digits"),
      }),
    ),
  })
  .superRefine((manifest, context) => {
    const D = manifest.architecture.latentSize;
    for (const field of ["mean", "std"] as const) {
      const value = manifest.latent[field];
      if (Array.isArray(value) && value.length !== D) {
        context.addIssue({ code: "custom", path: ["latent", field], message: `must hold latentSize = ${D} numbers` });
      }
    }
    if (manifest.defaults.length > manifest.architecture.maxLength) {
      context.addIssue({ code: "custom", path: ["defaults", "length"], message: "must not exceed maxLength" });
    }
    if (manifest.architecture.maxInputLength >= manifest.architecture.maxLength) {
      context.addIssue({
        code: "custom",
        path: ["architecture", "maxInputLength"],
        message: "must be below maxLength",
      });
    }
    if (manifest.architecture.maxInputLength > 0 && !manifest.graphs.encoder) {
      context.addIssue({ code: "custom", path: ["graphs", "encoder"], message: "is needed to read prompts" });
    }
    const listed = new Set(manifest.files.map((file) => file.path));
    for (const [name, entry] of Object.entries(manifest.graphs)) {
      for (const needed of entry ? [entry.file, ...entry.weights] : []) {
        if (listed.has(needed)) continue;
        context.addIssue({ code: "custom", path: ["graphs", name], message: `needs ${needed}, which files omits` });
      }
    }
  });

/** `manifest.json` of an exported model: shapes, constants of its flow, defaults, and every file with its SHA-256. */
export type Manifest = Readonly<z.infer<typeof schema>> & { readonly defaults: SamplerSettings };

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
  if (typeof version === "number" && version !== MANIFEST_SCHEMA_VERSION) {
    throw new ManifestVersionError(
      `manifest.json has schema version ${version}; this page reads version ${MANIFEST_SCHEMA_VERSION}.`,
      version > MANIFEST_SCHEMA_VERSION
        ? "Reload the page to get its newest version, or export the model again with this repository's `elf export`."
        : "Export the model again with this repository's `elf export`.",
    );
  }
  const result = schema.safeParse(json);
  if (!result.success) {
    const issue = result.error.issues[0];
    const field = issue?.path.join(".") || "the top level";
    throw new ManifestError(
      `manifest.json is wrong at ${field}: ${issue?.message ?? "unreadable"}.`,
      "Export the model again with `elf export`; a manifest is not meant to be written by hand.",
    );
  }
  return result.data;
}
