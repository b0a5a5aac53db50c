/** `npm run generate`: the page's flow and model code in Node, on onnxruntime-web's wasm build. */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { checkSources } from "../flow/condition";
import { ConditionError, ElfError, SettingsError } from "../flow/errors";
import type { Source } from "../flow/network";
import { type Prompt, recipeOf, roomOf } from "../flow/recipe";
import { rowOf } from "../flow/rows";
import { scheduleTimes } from "../flow/schedule";
import type { SamplerSettings } from "../flow/settings";
import { targetOf } from "../flow/tokens";
import { cutToText, type Frame } from "../flow/trajectory";
import { loadModel, type Model } from "../model/load";
import { type Manifest, parseManifest } from "../model/manifest";
import { startWasm } from "../model/runtime";
import { writeTrace } from "../model/trace";
import { NoWebGpuError } from "../model/webgpu";
import { fetchFromFolder, modelAddress } from "./folder";
import { type CommandLine, helpText, readCommandLine, settingsOf, UsageError } from "./options";
import { runFlow } from "./run";

/** Exit code 2 says that the command line is at fault, 1 that something else is. */
process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  try {
    const command = readCommandLine(argv);
    if (command.help) {
      process.stdout.write(`${helpText(manifestOf(command.model))}\n`);
      return 0;
    }
    await generate(command);
    return 0;
  } catch (error) {
    if (!(error instanceof ElfError)) throw error;
    process.stderr.write(`${error.name}: ${error.message} ${error.action}\n`);
    return [UsageError, SettingsError, ConditionError].some((fault) => error instanceof fault) ? 2 : 1;
  }
}

async function generate(command: CommandLine): Promise<void> {
  const baseUrl = modelAddress(command.model);
  // A silly setting should be refused before seconds of loading.
  const settings = settingsOf(command, parseManifest(readFileSync(fileURLToPath(`${baseUrl}manifest.json`), "utf8")));

  const start = performance.now();
  const model = await loadModel({
    baseUrl,
    wanted: "wasm",
    fetchFile: fetchFromFolder,
    platform: {
      startWasm,
      findAdapter: async () => null,
      startWebGpu: async () => {
        throw new NoWebGpuError("Node has no WebGPU.", "Use wasm.");
      },
    },
  });
  const loaded = performance.now();

  const { batch } = command;
  const sources = sourcesOf(command, model, settings);
  const watched = !command.json && process.stderr.isTTY;
  const run = await runFlow(model, settings, batch, sources, {
    keepFrames: command.trace !== undefined,
    onFrame: watched
      ? (frame) => showFrame(frame, settings.steps, textOf(frame.holds.tokens, sources[0], model))
      : undefined,
  });
  const seconds = (performance.now() - loaded) / 1000;
  const texts = run.tokens.map((tokens, row) => textOf(tokens, sources[sources.length === 1 ? 0 : row], model));

  if (command.dump !== undefined) {
    const { latentSize } = model.network;
    const dump = {
      t: Array.from(scheduleTimes(settings, model.manifest.schedule)),
      z0: nested(run.start.z, batch, latentSize),
      z: nested(run.end.z, batch, latentSize),
      tokens: run.tokens.map((tokens) => Array.from(tokens)),
    };
    writeFileSync(command.dump, `${JSON.stringify(dump)}\n`);
  }
  if (command.trace !== undefined) {
    const times = run.frames.map((frame) => frame.t);
    const from = sources[0]?.length ?? 0;
    const room = roomOf(settings.length, from, model.manifest.architecture);
    const frames = run.frames.map((frame) => cutToText(frame, { from, room, held: [] }));
    const recipe = recipeOf({ settings, prompt: promptOf(command) });
    const trajectory = { ...recipe, model: model.manifest.name, times, frames };
    const recorded = { trajectory, pieces: model.tokenizer.pieces, text: texts[0] as string };
    writeFileSync(command.trace, writeTrace(recorded, model.manifest));
  }
  if (!command.json) {
    process.stdout.write(`${texts.join("\n\n")}\n`);
    return;
  }
  const allTokens = run.tokens.map((tokens) => Array.from(tokens));
  const report = {
    /** One sample's own, a list for several; `texts` is always a list. */
    text: batch === 1 ? texts[0] : texts,
    texts,
    /** All `length` tokens, also those of the prompt and those after the end of the text; as with `text`. */
    tokens: batch === 1 ? allTokens[0] : allTokens,
    allTokens,
    settings: { ...settings, batch },
    ...(sources.length > 0 ? { promptIds: sources } : {}),
    model: model.manifest.name,
    backend: model.backend,
    seconds: rounded(seconds),
    loadSeconds: rounded((loaded - start) / 1000),
    passes: run.passes,
  };
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

/** The first prompt, as it is read. */
function promptOf({ prompts: [text], promptIds: [ids] }: CommandLine): Prompt | undefined {
  if (ids) return { ids };
  return text === undefined ? undefined : { text: text.trim() };
}

/** The prompts as tokens, all checked; as in the page's box, what is blank at their ends, U+FEFF too, does not count. */
function sourcesOf(
  { prompts, promptIds, batch }: CommandLine,
  { manifest, tokenizer }: Model,
  settings: SamplerSettings,
): readonly Source[] {
  const sources = [...promptIds, ...prompts.map((prompt) => tokenizer.encode(prompt.trim()))];
  checkSources(sources, batch, settings.length, manifest.architecture);
  return sources;
}

/** What was written after the prompt, up to the end-of-sequence token. */
function textOf(tokens: Int32Array, source: Source | undefined, { manifest, tokenizer }: Model): string {
  const from = source?.length ?? 0;
  const room = roomOf(tokens.length, from, manifest.architecture);
  return tokenizer.decode(targetOf(tokens, from, room, manifest.tokens.eos));
}

/** A (B, L, D) array as lists of lists of lists. */
function nested(array: Float32Array, batch: number, latentSize: number): number[][][] {
  return Array.from({ length: batch }, (_, row) => {
    const sample = rowOf(array, row, batch);
    const length = sample.length / latentSize;
    return Array.from({ length }, (_, position) => Array.from(rowOf(sample, position, length)));
  });
}

function showFrame({ step, t }: Frame, steps: number, text: string): void {
  const head = `${String(step).padStart(String(steps).length)}/${steps}  t ${t.toFixed(3)}  `;
  const line = (head + text).replaceAll("\n", " ");
  process.stderr.write(`${line.slice(0, process.stderr.columns || 120)}\n`);
}

/** The manifest for the help's defaults; none where the model is not there. */
function manifestOf(nameOrFolder: string): Manifest | undefined {
  try {
    return parseManifest(readFileSync(fileURLToPath(`${modelAddress(nameOrFolder)}manifest.json`), "utf8"));
  } catch (error) {
    if (error instanceof ElfError) return undefined;
    throw error;
  }
}

function rounded(seconds: number): number {
  return Number(seconds.toFixed(3));
}
