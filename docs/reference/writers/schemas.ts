import { z } from "zod";
import { judgeManifestSchema } from "../../../src/format/judgeManifest";
import { manifestSchema } from "../../../src/format/manifest";
import { recipeSchema, traceSchema } from "../../../src/format/trace";
import { weightIndexSchema } from "../../../src/format/weightIndex";
import { page, table } from "./markdown";

interface JsonSchema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly anyOf?: readonly JsonSchema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly pattern?: string;
  readonly $ref?: string;
}

const SCHEMAS = [
  [
    "run",
    "A recorded run",
    "A *trace*: what the page and the element play before any weights load, and what a run goes on from. `elf-playground generate --trace FILE`, `generation.trace()` of the package and `toTrace()` of the element write one. Readings are packed: `top` holds `[id, percent, id, percent, …]` of each position, best first; `expects` is left out of the first frame.",
    traceSchema,
  ],
  [
    "recipe",
    "A recipe",
    "What decides a run: by the same model the same recipe writes the same text. A trace holds one, a [link](./settings.md) spells one out, and `generation.recipe` of the package is one. A run that goes on from another holds that one's recipe in `from`.",
    recipeSchema,
  ],
  [
    "manifest",
    "manifest.json",
    "Of an exported model. What each field means, and what a reader has to do with it, stands in [An exported model](./exported-model.md).",
    manifestSchema,
  ],
  [
    "judge",
    "judge.json",
    "Of a judge that `elf export-judge` wrote; it stands in the place of `manifest.json`.",
    judgeManifestSchema,
  ],
  ["weight-index", "onnx/weights-….json", "Where each tensor of a dtype lies.", weightIndexSchema],
] as const;

/** JSON Schemas by the names of their files. */
export function schemaFiles(): Record<string, string> {
  const files = SCHEMAS.map(([name, title, , schema]) => [
    `${name}.json`,
    `${JSON.stringify(written(title, schema), null, 2)}\n`,
  ]);
  return Object.fromEntries(files);
}

export function formatsPage(): string {
  const lead = `What is written to files, as [JSON Schema](https://json-schema.org), made of the very schemas that the code reads them by.
Files that break one are refused with the place that is wrong; what a schema cannot say, that sizes and names agree, is checked
besides.`;
  const parts = SCHEMAS.flatMap(([name, title, what, schema]) => [
    `## ${title}`,
    `${what} Schema: <a href="../schema/${name}.json">${name}.json</a>.`,
    table(["field", "must be", ""], rows(written(title, schema))),
  ]);
  return page("Files", lead, ...parts);
}

function written(title: string, schema: unknown): JsonSchema {
  const json = z.toJSONSchema(schema as z.ZodType, {
    io: "input",
    // Every integer of zod ends where numbers stop being exact; that says nothing.
    override: ({ jsonSchema }) => {
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    },
  });
  return { ...json, title } as JsonSchema;
}

function defaultOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function rows(schema: JsonSchema, path = ""): string[][] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, inner]) => {
    const place = path === "" ? name : `${path}.${name}`;
    const needed = schema.required?.includes(name) ? "" : "may be missing";
    const row = [
      `\`${place}\``,
      said(inner),
      "default" in inner ? `may be missing: \`${defaultOf(inner.default)}\`` : needed,
    ];
    return [row, ...rows(inner, place), ...rows(inner.items ?? {}, `${place}[]`)];
  });
}

/** A schema in a few words. */
function said(schema: JsonSchema): string {
  if (schema.const !== undefined) return `\`${String(schema.const)}\``;
  if (schema.enum) return schema.enum.map((choice) => `\`${String(choice)}\``).join(" or ");
  if (schema.anyOf) return schema.anyOf.map(said).join(" or ");
  if (schema.$ref) return schema.$ref === "#" ? "the same again" : "a run to go on from, as in a recipe";
  if (schema.type === "array") return `list of ${said(schema.items ?? {})}`;
  if (schema.type === "object" && typeof schema.additionalProperties === "object") {
    return `${said(schema.additionalProperties)} by name`;
  }
  if (schema.type === "object") {
    const names = Object.keys(schema.properties ?? {});
    return names.length > 0 ? `{ ${names.join(", ")} }` : "object";
  }
  return [schema.type ?? "anything", ...limits(schema)].join(", ");
}

function limits({ minimum, exclusiveMinimum, maximum }: JsonSchema): string[] {
  const from = minimum ?? exclusiveMinimum;
  const least =
    minimum === undefined && from !== undefined ? `above ${from}` : from === undefined ? "" : `from ${from}`;
  const most = maximum === undefined ? "" : `to ${maximum}`;
  const both = [least, most].filter((word) => word !== "").join(" ");
  return both === "" ? [] : [both];
}
