import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { SHIPPED_JUDGES } from "../../../src/delivery/shipped";
import { parseJudgeManifest } from "../../../src/format/judgeManifest";
import { type Manifest, parseManifest } from "../../../src/format/manifest";
import { page, table } from "./markdown";
import { root } from "./sources";

interface Errors {
  readonly cases: number;
  readonly maxAbsoluteError: number;
  readonly maxRelativeError: number;
}

/** `parity.json`, as export/FORMAT.md has it; only what is shown. */
interface Parity {
  readonly jax: string;
  readonly onnxruntime: string;
  readonly graphs: Readonly<Record<string, Readonly<Record<string, Errors>>>>;
  readonly runs: {
    readonly weights?: string;
    readonly method: string;
    readonly steps: number;
    readonly firstSeed: number;
    readonly lastSeed: number;
    readonly tokens: number;
    readonly tokenAgreement: number;
    readonly finalLatents: Errors;
  };
  readonly dtypes: Readonly<
    Record<string, { readonly tokenAgreement: number; readonly normalisedEditDistance: number }>
  >;
}

interface Shipped {
  readonly manifest: Manifest;
  readonly parity: Parity;
}

function shipped(): Shipped[] {
  const models = join(root, "models");
  return readdirSync(models)
    .filter((name) => existsSync(join(models, name, "manifest.json")))
    .sort()
    .map((name) => ({
      manifest: parseManifest(readFileSync(join(models, name, "manifest.json"), "utf8")),
      parity: JSON.parse(readFileSync(join(models, name, "parity.json"), "utf8")),
    }));
}

/** The models that ship, by their manifests. */
export function modelsPage(): string {
  const parts = shipped().flatMap(({ manifest }) => {
    const { name, title, description, architecture, defaults, dtypes, presets, examples, licence } = manifest;
    const { depth, hiddenSize, heads, vocabularySize, maxLength, maxInputLength, sourceOptional, parameters } =
      architecture;
    const guidance = maxInputLength > 0 ? `, ω ${defaults.cfgScale}` : "";
    const noise = defaults.method === "sde" ? `, γ ${defaults.gamma}` : "";
    const rows = [
      ["parameters", parameters.toLocaleString("en")],
      ["blocks, width, heads, vocabulary", `${depth}, ${hiddenSize}, ${heads}, ${vocabularySize.toLocaleString("en")}`],
      [
        "reads",
        maxInputLength === 0
          ? "nothing"
          : `a prompt of up to ${maxInputLength} tokens${sourceOptional ? ", or nothing" : ""}`,
      ],
      ["writes", `up to ${maxLength - maxInputLength} tokens after a prompt, ${maxLength} positions in all`],
      [
        "unasked",
        `${defaults.method.toUpperCase()}, ${defaults.steps} steps${noise}, w ${defaults.selfCondScale}${guidance}, ${defaults.schedule}`,
      ],
      [
        "weights",
        Object.entries(dtypes)
          .map(([dtype, { bytes }]) => `${dtype} ${(bytes / 1e6).toFixed(1)} MB`)
          .join(", "),
      ],
      ["presets", presets.map((preset) => `${preset.name}: ${preset.note}`).join("; ") || "–"],
      ["examples", examples.map((text) => `“${text}”`).join(" ") || "–"],
      ["licence", licence],
    ];
    if (maxInputLength === 0) rows[3] = ["writes", `up to ${maxLength} tokens`];
    return [`## ${name}`, `*${title}.* ${description}`, table(["", ""], rows)];
  });
  const lead = `What lies in \`models/\`, read off the manifests. Each has a card beside it, with unpicked samples, measured qualities
beside those of real text, known failures, cost and proof. They were learnt on two CPU cores in minutes to hours and are small:
expect sentences that are mostly right, and no plot. [Bring your own](../guides/checkpoint.md), or [train one](../guides/train.md).`;
  return page("Models that ship", lead, ...parts, ...SHIPPED_JUDGES.flatMap(judgeParts));
}

/** A judge, which is no model of a flow. */
function judgeParts(folder: string): string[] {
  const manifest = parseJudgeManifest(readFileSync(join(root, "models", folder, "judge.json"), "utf8"));
  const { name, title, description, corpus, licence, architecture, source, weights, realText } = manifest;
  const { layers, width, heads, vocabularySize, maxLength, parameters } = architecture;
  return [
    `## ${name}`,
    `*${title}.* ${description}`,
    table(
      ["", ""],
      [
        ["parameters", parameters.toLocaleString("en")],
        ["blocks, width, heads, vocabulary", `${layers}, ${width}, ${heads}, ${vocabularySize.toLocaleString("en")}`],
        ["reads", `${source ? `sources up to ${source.maxLength} tokens, and answers ` : ""}up to ${maxLength} tokens`],
        ["has learned", corpus],
        ["weights", `${weights.dtype} ${(weights.bytes / 1e6).toFixed(1)} MB`],
        ["of real text", `perplexity ${realText.perplexity.toFixed(2)}, entropy ${realText.entropy.toFixed(2)} nats`],
        ["licence", licence],
      ],
    ),
  ];
}

/** What `elf export` and `elf renew` measured of them: a part of the page of figures. */
export function parityPart(): string {
  const all = shipped();
  const graphs = all.flatMap(({ manifest, parity }) =>
    Object.entries(parity.graphs).flatMap(([graph, outputs]) =>
      Object.entries(outputs).map(([output, { cases, maxAbsoluteError, maxRelativeError }]) => [
        `${manifest.name}, ${graph}`,
        `\`${output}\``,
        String(cases),
        maxAbsoluteError.toExponential(1),
        maxRelativeError.toExponential(1),
      ]),
    ),
  );
  const runs = all.map(({ manifest, parity: { runs } }) => [
    manifest.name,
    `${runs.lastSeed - runs.firstSeed + 1} of ${runs.steps} steps, ${runs.method.toUpperCase()}`,
    runs.tokens.toLocaleString("en"),
    `${(100 * runs.tokenAgreement).toFixed(2)} %`,
    runs.finalLatents.maxRelativeError.toExponential(1),
  ]);
  const stored = all.flatMap(({ manifest, parity }) =>
    Object.keys(manifest.dtypes).map((dtype) => {
      const figures = parity.dtypes[dtype];
      if (!figures) throw new Error(`${manifest.name} offers ${dtype}, of which its parity.json says nothing.`);
      return [
        manifest.name,
        dtype,
        `${(100 * figures.tokenAgreement).toFixed(2)} %`,
        figures.normalisedEditDistance.toFixed(4),
      ];
    }),
  );
  const versions = [...new Set(all.map(({ parity }) => `JAX ${parity.jax} and ONNX Runtime ${parity.onnxruntime}`))];
  return [
    `On the CPU, by ${versions.join("; ")}; the full reports are the models' \`parity.json\`.`,
    table(["graph", "output", "cases", "largest absolute error", "largest relative error"], graphs),
    "Whole runs, through all steps, of the exported graphs beside JAX:",
    table(["model", "runs", "tokens", "the same", "final latents, relative error"], runs),
    "What each form of the weights keeps of the tokens that 32-bit weights write:",
    table(["model", "weights", "tokens kept", "edit distance"], stored),
    "",
  ].join("\n\n");
}
