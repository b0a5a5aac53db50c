/** `elf-playground generate`: the page's flow and model code in Node, on onnxruntime-web's wasm build. */
import { readFileSync } from "node:fs";
import { fetchManifestText, readManifest } from "../delivery/fetchManifest";
import { surestOf, uncertaintyOf } from "../flow/certainty";
import { checkSources } from "../flow/condition";
import { ElfError } from "../flow/errors";
import type { HeldToken } from "../flow/held";
import type { Reading, Source } from "../flow/network";
import { type Back, branchAt, type Prompt, type Recipe, recipeOf, roomOf } from "../flow/recipe";
import { rowOf } from "../flow/rows";
import type { FlowState } from "../flow/sampler";
import { scheduleTimes } from "../flow/schedule";
import { type SamplerSettings, seedAfter } from "../flow/settings";
import { cutAtEnd, targetOf } from "../flow/tokens";
import { type Frame, readFrame, type Trajectory } from "../flow/trajectory";
import type { Manifest } from "../format/manifest";
import { readTrace, writeTrace } from "../format/trace";
import { fetchFromAnywhere } from "../package/node";
import { writeBatch } from "../run/batch";
import { RunMemory } from "../run/memory";
import { countPasses } from "../run/passes";
import { planRecipe } from "../run/plan";
import { findPaths } from "../run/readRun";
import { followRun, writeRun } from "../run/writeRun";
import type { Model } from "../runtime/load";
import { loadFolder, modelAddress } from "./folder";
import { type CommandLine, helpText, readCommandLine, settingsOf, UsageError } from "./options";
import { checkOutput, writeOutput } from "./output";

/** Writes what the arguments say, or the help. */
export async function runGenerate(argv: readonly string[]): Promise<void> {
  const command = readCommandLine(argv);
  if (command.help) process.stdout.write(`${helpText(await manifestOf(command.model))}\n`);
  else await generate(command);
}

async function generate(command: CommandLine): Promise<void> {
  // A silly setting, or a file that cannot be written, should be refused before seconds of loading.
  for (const file of [command.dump, command.trace]) if (file !== undefined) checkOutput(file);
  const manifest = await manifestAt(modelAddress(command.model));
  const parent = command.from && readParent(command.from.file, manifest);
  const asked = settingsOf(command, manifest, parent);

  const start = performance.now();
  const { model, passes } = countPasses(await loadFolder(command.model));
  const loaded = performance.now();
  const settings = fittedTo(backOf(command, model), asked, command, model);
  const write = command.bestOf !== undefined ? writeSurest : command.batch === 1 ? writeOne : writeSeveral;
  const { sources, tokens, texts, bestOf, recorded, ...run } = await write(command, model, settings, parent);
  const seconds = (performance.now() - loaded) / 1000;

  const allTokens = tokens.map((row) => Array.from(row));
  const report = {
    /** One sample's own, a list for several; `texts` is always a list. */
    text: command.batch === 1 ? texts[0] : texts,
    texts,
    /** All `length` tokens, also those of the prompt and those after the end of the text; as with `text`. */
    tokens: command.batch === 1 ? allTokens[0] : allTokens,
    allTokens,
    settings: { ...settings, ...(bestOf ? { seed: bestOf.seed } : {}), batch: command.batch },
    ...(bestOf ? { bestOf } : {}),
    ...(command.towards ? { towards: command.towards } : {}),
    ...(command.back === undefined ? {} : { back: command.back }),
    ...(sources.length > 0 ? { promptIds: sources } : {}),
    model: manifest.name,
    backend: model.backend,
    seconds: rounded(seconds),
    loadSeconds: rounded((loaded - start) / 1000),
    /** How often the network saw each sample; of several seeds all are counted. */
    passes: { ...passes, denoise: passes.denoise / command.batch },
  };
  process.stdout.write(`${command.json ? JSON.stringify(report) : texts.join("\n\n")}\n`);
  if (command.dump !== undefined) {
    const { latentSize } = model.network;
    const dump = {
      t: Array.from(scheduleTimes(settings, manifest.schedule)),
      z0: nested(run.start.z, command.batch, latentSize),
      z: nested(run.end.z, command.batch, latentSize),
      tokens: allTokens,
    };
    writeOutput(command.dump, `${JSON.stringify(dump)}\n`);
  }
  if (command.trace !== undefined && recorded !== undefined) writeOutput(command.trace, recorded);
}

/** What was written, sample by sample. */
interface Written {
  readonly sources: readonly Source[];
  /** Those of the prompt included, before the cut at the end-of-sequence token. */
  readonly tokens: readonly Int32Array[];
  readonly texts: readonly string[];
  readonly start: FlowState;
  readonly end: FlowState;
  /** Where it was chosen of several. */
  readonly bestOf?: Choice;
  /** The recorded run, as its file has it, where one is wanted. */
  readonly recorded?: string | undefined;
}

/** What a text was written by, and how sure the model is of it. */
interface Try {
  readonly seed: number;
  /** Mean entropy in nats a token (`uncertaintyOf`). JSON has none for an empty text: null. */
  readonly uncertainty: number;
}

/** The one chosen, and all that were tried, in their order. */
interface Choice extends Try {
  readonly tries: readonly Try[];
}

/** Writes one run as the page does, from noise or from a step of another, and records it where that is wanted. */
async function writeOne(
  command: CommandLine,
  model: Model,
  settings: SamplerSettings,
  parent?: Trajectory | undefined,
): Promise<Written & { readonly reading: Reading }> {
  const { manifest, tokenizer } = model;
  const prompt = promptOf(command);
  const back = backOf(command, model);
  const recipe: Recipe = {
    settings,
    ...(prompt ? { prompt } : {}),
    ...(command.towards ? { towards: command.towards } : {}),
    ...(back ? { back } : {}),
    held: heldTokens(command, model),
    ...(parent && command.from ? { from: branchAt(parent, command.from.step) } : {}),
  };
  const plan = planRecipe(model, recipe);
  const { times, first } = plan.path;
  const isWatched = watches(command);
  const isRecorded = command.trace !== undefined;
  const frames: Frame[] = [];
  const memory = new RunMemory();
  const run = writeRun(model, plan, {
    memory,
    lead: isRecorded,
    frames: isRecorded || isWatched ? "every" : "last",
  });
  const { tokens, text } = await followRun(run, (event) => {
    if (event.type !== "frame") return;
    frames.push(event.frame);
    if (!isWatched) return;
    const written = cutAtEnd(event.frame.holds.tokens, manifest.tokens.eos);
    showFrame(event.frame, times.length - 1, tokenizer.decode(written));
  });
  // The first state and the newest are always kept as they are.
  const states = memory.recall(plan.key)?.states;
  const [start, end] = [states?.keptBefore(first), states?.keptBefore(settings.steps)];
  if (!start || !end) throw new Error("The run left no state.");
  let recorded: string | undefined;
  if (isRecorded) {
    const paths = await followRun(findPaths(model, plan, frames.length, { memory }), () => {});
    const trajectory = { ...recipeOf(recipe), model: manifest.name, times, frames, ...(paths ? { paths } : {}) };
    recorded = writeTrace({ trajectory, pieces: tokenizer.pieces, text }, manifest);
  }
  const reading = frames.at(-1)?.holds;
  if (!reading) throw new Error("The run left no frame.");
  const sources = plan.source.length > 0 ? [plan.source] : [];
  return { sources, tokens: [tokens], texts: [text], start, end, reading, recorded };
}

/** Writes by several seeds in turn and takes the text that the model is surest of; that run alone is recorded. */
async function writeSurest(command: CommandLine, model: Model, settings: SamplerSettings): Promise<Written> {
  const { eos } = model.manifest.tokens;
  const { bestOf: count = 1 } = command;
  const written: Awaited<ReturnType<typeof writeOne>>[] = [];
  const tries: Try[] = [];
  const settingsAt = (place: number) => ({ ...settings, seed: seedAfter(settings.seed, place) });
  for (let place = 0; place < count; place++) {
    const its = settingsAt(place);
    const run = await writeOne({ ...command, trace: undefined }, model, its);
    const made = { seed: its.seed, uncertainty: uncertaintyOf(run.reading, eos) };
    written.push(run);
    tries.push(made);
    if (seesProgress(command)) showTry(made, tries.length, count, run.texts[0] ?? "");
  }
  const best = surestOf(
    written.map(({ reading }) => reading),
    eos,
  );
  // Only now is it known which run is wanted frame by frame.
  const run = command.trace === undefined ? written[best] : await writeOne(command, model, settingsAt(best));
  return { ...(run as Written), bestOf: { ...(tries[best] as Try), tries } };
}

/** Writes several samples at once. */
async function writeSeveral(command: CommandLine, model: Model, settings: SamplerSettings): Promise<Written> {
  const sources = sourcesOf(command, model, settings);
  const textOf = (tokens: Int32Array, row: number) => {
    const from = (sources.length === 1 ? sources[0] : sources[row])?.length ?? 0;
    const { architecture, tokens: special } = model.manifest;
    return model.tokenizer.decode(targetOf(tokens, from, roomOf(tokens.length, from, architecture), special.eos));
  };
  const onState = async (state: FlowState) => {
    const frame = await readFrame(model.network, state, settings.selfCondScale);
    showFrame(frame, settings.steps, textOf(frame.holds.tokens, 0));
  };
  const options = watches(command) ? { onState } : {};
  const { tokens, ...run } = await writeBatch(model, { settings, batch: command.batch, sources }, options);
  return { ...run, sources, tokens, texts: tokens.map(textOf) };
}

/**
 * The recorded run to go on from.
 * @throws {UsageError} there is none, or it is another model's. @throws {TraceError} it is no recorded run.
 */
function readParent(file: string, { name }: Manifest): Trajectory {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    throw new UsageError(`${file} cannot be read.`, "Record a run with --trace FILE, and go on from that.", { cause });
  }
  const { trajectory } = readTrace(text);
  if (trajectory.model === name) return trajectory;
  throw new UsageError(
    `${file} is a run of the model ${trajectory.model}, not of ${name}.`,
    `Go on by its own model: --model ${trajectory.model}`,
  );
}

/** The words to hold, as tokens at the places that follow one another. */
function heldTokens({ held }: CommandLine, { tokenizer }: Model): HeldToken[] {
  return held.flatMap((item) => {
    const tokens = "ids" in item ? item.ids : tokenizer.encode(item.word.trim());
    return tokens.map((token, i) => ({ position: item.position + i, token }));
  });
}

/** The text to start from the noise of, with its end. */
function backOf({ back }: CommandLine, { manifest, tokenizer }: Model): Back | undefined {
  if (back === undefined) return undefined;
  const ids = tokenizer.encode(back.trim());
  const { eos } = manifest.tokens;
  return { ids: eos === null || ids.at(-1) === eos ? ids : [...ids, eos] };
}

/** A run from the noise of a text is as long as that text, unless it is said how long. */
function fittedTo(
  back: Back | undefined,
  settings: SamplerSettings,
  command: CommandLine,
  { tokenizer }: Model,
): SamplerSettings {
  if (!back || command.changes.length !== undefined) return settings;
  const prompt = promptOf(command);
  const source = !prompt ? [] : "ids" in prompt ? prompt.ids : tokenizer.encode(prompt.text);
  return { ...settings, length: source.length + back.ids.length };
}

/** Whether somebody sees what is done meanwhile. */
function seesProgress({ json }: CommandLine): boolean {
  return !json && process.stderr.isTTY;
}

/** Whether somebody sees the run being written, step by step; of several seeds it is text by text. */
function watches(command: CommandLine): boolean {
  return seesProgress(command) && command.bestOf === undefined;
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

/** A (B, L, D) array as lists of lists of lists. */
function nested(array: Float32Array, batch: number, latentSize: number): number[][][] {
  return Array.from({ length: batch }, (_, row) => {
    const sample = rowOf(array, row, batch);
    const length = sample.length / latentSize;
    return Array.from({ length }, (_, position) => Array.from(rowOf(sample, position, length)));
  });
}

function showFrame({ step, t }: Frame, steps: number, text: string): void {
  showProgress(step, steps, `t ${t.toFixed(3)}`, text);
}

function showTry({ seed, uncertainty }: Try, place: number, count: number, text: string): void {
  showProgress(place, count, `seed ${seed}  ${uncertainty.toFixed(3)} nats`, text);
}

function showProgress(done: number, all: number, said: string, text: string): void {
  const head = `${String(done).padStart(String(all).length)}/${all}  ${said}  `;
  const line = (head + text).replaceAll("\n", " ");
  process.stderr.write(`${line.slice(0, process.stderr.columns || 120)}\n`);
}

/** `isHelp` asks once: somebody offline does not wait for a help. */
async function manifestAt(baseUrl: string, isHelp = false): Promise<Manifest> {
  return readManifest((await fetchManifestText({ baseUrl, fetchFile: fetchFromAnywhere }, isHelp)).text);
}

/** The manifest for the help's defaults; none where the model is not there. */
async function manifestOf(source: string): Promise<Manifest | undefined> {
  try {
    return await manifestAt(modelAddress(source), true);
  } catch (error) {
    if (error instanceof ElfError) return undefined;
    throw error;
  }
}

function rounded(seconds: number): number {
  return Number(seconds.toFixed(3));
}
