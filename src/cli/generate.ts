/** `npm run generate`: the page's flow and model code in Node, on onnxruntime-web's wasm build. */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ElfError, SettingsError } from "../flow/errors";
import type { Network } from "../flow/network";
import { type FlowState, flow } from "../flow/sampler";
import { scheduleTimes } from "../flow/schedule";
import type { SamplerSettings } from "../flow/settings";
import { cutAtEnd } from "../flow/tokens";
import { type Frame, readFrame } from "../flow/trajectory";
import { loadModel, type Model } from "../model/load";
import { type Manifest, parseManifest } from "../model/manifest";
import { startWasm } from "../model/runtime";
import { writeTrace } from "../model/trace";
import { NoWebGpuError } from "../model/webgpu";
import { fetchFromFolder, modelAddress } from "./folder";
import { type CommandLine, helpText, readCommandLine, settingsOf, UsageError } from "./options";

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
    return error instanceof UsageError || error instanceof SettingsError ? 2 : 1;
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

  const watched = !command.json && process.stderr.isTTY;
  const run = await runFlow(model, settings, {
    keepFrames: command.trace !== undefined,
    onFrame: watched ? (frame) => showFrame(frame, settings.steps, model) : undefined,
  });
  const seconds = (performance.now() - loaded) / 1000;
  const text = textOf(run.tokens, model);

  if (command.dump !== undefined) {
    const { start, end } = run;
    const t = Array.from(scheduleTimes(settings, { ...model.manifest.schedule }));
    const dump = { t, z0: Array.from(start.z), z: Array.from(end.z), tokens: Array.from(run.tokens) };
    writeFileSync(command.dump, `${JSON.stringify(dump)}\n`);
  }
  if (command.trace !== undefined) {
    const times = run.frames.map((frame) => frame.t);
    const trajectory = { settings, model: model.manifest.name, times, frames: run.frames };
    writeFileSync(command.trace, writeTrace({ trajectory, pieces: model.tokenizer.pieces, text }, model.manifest));
  }
  if (!command.json) {
    process.stdout.write(`${text}\n`);
    return;
  }
  const report = {
    text,
    /** All `length` tokens, also those after the end of the text. */
    tokens: Array.from(run.tokens),
    settings,
    model: model.manifest.name,
    backend: model.backend,
    seconds: rounded(seconds),
    loadSeconds: rounded((loaded - start) / 1000),
    passes: run.passes,
  };
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

interface FinishedRun {
  readonly start: FlowState;
  readonly end: FlowState;
  /** Tokens of the end, before the cut at the end-of-sequence token; (length). */
  readonly tokens: Int32Array;
  /** Every frame, where they were to be kept. */
  readonly frames: readonly Frame[];
  readonly passes: { readonly denoise: number; readonly decode: number };
}

/** Runs the flow to its end. Frames cost a decoder pass each, so they are read only where someone wants them. */
async function runFlow(
  { manifest, network }: Model,
  settings: SamplerSettings,
  wishes: { keepFrames: boolean; onFrame: ((frame: Frame) => void) | undefined },
): Promise<FinishedRun> {
  const constants = { ...manifest.latent, ...manifest.schedule };
  const frames: Frame[] = [];
  let start: FlowState | undefined;
  let end: FlowState | undefined;
  let decode = 0;
  for await (const state of flow(network, settings, constants)) {
    start ??= state;
    end = state;
    if (!wishes.keepFrames && !wishes.onFrame) continue;
    const frame = await readFrame(network, state, settings.selfCondScale);
    decode++;
    wishes.onFrame?.(frame);
    if (wishes.keepFrames) frames.push(frame);
  }
  if (!start || !end) throw new Error("The flow yielded no state.");
  const tokens = frames.at(-1)?.holds.tokens ?? (await readTokens(network, end, settings));
  if (frames.length === 0) decode++;
  return { start, end, tokens, frames, passes: { denoise: settings.steps, decode } };
}

async function readTokens(network: Network, { z }: FlowState, settings: SamplerSettings): Promise<Int32Array> {
  const [reading] = await network.decode([z], settings.selfCondScale);
  if (!reading) throw new Error("The network read no latent.");
  return reading.tokens;
}

function textOf(tokens: Int32Array, { manifest, tokenizer }: Model): string {
  return tokenizer.decode(cutAtEnd(tokens, manifest.tokens.eos));
}

function showFrame({ step, t, holds }: Frame, steps: number, model: Model): void {
  const head = `${String(step).padStart(String(steps).length)}/${steps}  t ${t.toFixed(3)}  `;
  const line = (head + textOf(holds.tokens, model)).replaceAll("\n", " ");
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
