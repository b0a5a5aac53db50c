/** Writes what a recipe says: finds the state where it begins, follows the flow from there, and reads its frames. */
import { type Clamp, type Fixed, makeClamp, replaceTokens } from "../flow/clamp";
import { type Condition, encodeCondition } from "../flow/condition";
import { CancelledError } from "../flow/errors";
import { encodeHeld, newlyHeld } from "../flow/held";
import { type Back, type Recipe, roomOf, rootOf } from "../flow/recipe";
import { noiseOf } from "../flow/reverse";
import { type FlowOptions, type FlowState, startAt } from "../flow/sampler";
import { cutAtEnd } from "../flow/tokens";
import { startNoise } from "../flow/towards";
import { cutToText, type Frame, readFrame } from "../flow/trajectory";
import { flowConstants } from "../format/manifest";
import { passesOf } from "../runtime/gpu/plan";
import type { Model } from "../runtime/load";
import type { FrameChoice, ReadEvent, RecallEvent, RunEvent, RunResult } from "./api";
import { type Loop, type LoopState, loopOf } from "./loops";
import { type RememberedRun, RunMemory } from "./memory";
import { nextTask } from "./nextTask";
import { pacedFrames } from "./pacedFrames";
import type { RunPlan } from "./plan";

export interface WriteOptions {
  /** What is remembered of earlier runs, for forks to begin from, and of this one; nothing unless given. */
  readonly memory?: RunMemory;
  /** Whether the frames before a fork are wanted too. */
  readonly lead?: boolean;
  /** Which frames are read; every one unless given. */
  readonly frames?: FrameChoice;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Writes a run, as fast as its events are asked for. One whose signal is aborted ends with the frames so far, and does not
 * throw; one that is returned from frees what it holds, as `for await` does when it is left.
 * @throws every named error of the network: its device is lost, its memory is full, its numbers are none.
 */
export async function* writeRun(
  model: Model,
  plan: RunPlan,
  options: WriteOptions = {},
): AsyncGenerator<RunEvent, RunResult> {
  const { lead = false, signal } = options;
  const start = performance.now();
  const { manifest, tokenizer } = model;
  let last: Frame | undefined;
  let status: RunResult["status"] = "done";
  const writer = new Writer(model, plan.source, options);
  try {
    if (signal?.aborted) throw new CancelledError();
    yield { type: "start", times: plan.path.times, first: lead ? 0 : plan.path.begin };
    for await (const event of lead ? writer.wholePath(plan) : writer.ownFrames(plan)) {
      if (event.type === "frame") last = event.frame;
      yield event;
    }
  } catch (error) {
    if (!(error instanceof CancelledError)) throw error;
    status = "cancelled";
  }
  const tokens = last ? cutAtEnd(last.holds.tokens, manifest.tokens.eos) : [];
  const seconds = (performance.now() - start) / 1000;
  return { status, tokens: writer.tokens, text: tokenizer.decode(tokens), seconds };
}

/** Follows a run to its end and tells of everything on the way. */
export async function followRun<Event, Result>(
  run: AsyncGenerator<Event, Result>,
  onEvent: (event: Event) => void,
): Promise<Result> {
  for (;;) {
    const { done, value } = await run.next();
    if (done) return value;
    onEvent(value);
  }
}

/** Whether a run from noise starts from another than that of its seed alone. */
function startsElsewhere({ towards, back }: Recipe): boolean {
  return towards !== undefined || back !== undefined;
}

/** On a GPU states are fetched that far apart, for frames to be read later: with the waits of the loop, which are as far. */
const CHECKPOINT_STEPS = 8;

/** A state at its frame of a run, or of one that this continues. It can be looked at until the next is asked for. */
export interface StateEvent {
  readonly type: "state";
  readonly plan: RunPlan;
  readonly index: number;
  readonly state: Pick<LoopState, "read" | "download">;
}

/** A run that can be followed: all that it holds is encoded. */
interface OpenRun {
  readonly plan: RunPlan;
  readonly remembered: RememberedRun;
  readonly options: FlowOptions;
}

/** Follows the flow of a run and of those that it continues, and remembers what comes by. */
export class Writer {
  /** Of all positions, by the frame read last. */
  tokens: Int32Array = new Int32Array();
  readonly #loop: Loop;
  readonly #memory: RunMemory;
  readonly #choice: FrameChoice;
  readonly #signal: AbortSignal | undefined;
  #condition: Promise<Condition | undefined> | undefined;

  constructor(
    private readonly model: Model,
    private readonly source: RunPlan["source"],
    { memory = new RunMemory(), frames = "every", signal }: WriteOptions,
  ) {
    this.#loop = loopOf(model);
    this.#memory = memory;
    this.#choice = frames;
    this.#signal = signal;
  }

  /** Every frame from noise on, those of the runs that it continues included. */
  async *wholePath(plan: RunPlan, until = plan.path.times.length): AsyncGenerator<ReadEvent, void> {
    if (plan.parent) yield* this.wholePath(plan.parent, plan.path.begin);
    yield* this.ownFrames(plan, until);
  }

  /** The frames from where the recipe begins to before the frame `until`. */
  async *ownFrames(plan: RunPlan, until = plan.path.times.length): AsyncGenerator<ReadEvent, void> {
    const { begin, first } = plan.path;
    if (until <= begin) return;
    const run = yield* this.#open(plan);
    // The noise of the seed is what the loop begins with by itself.
    const isElsewhere = plan.parent !== undefined || startsElsewhere(plan.recipe);
    const start = isElsewhere ? run.remembered.states.keptBefore(first) : undefined;
    const isWanted = this.#wantedOf(plan);
    if (start && isWanted(begin)) yield { type: "frame", frame: await this.#read(plan, start, begin) };
    if (start && until === begin + 1) return;
    for await (const state of this.#follow(run, start)) {
      const index = state.step - first + begin;
      if (isWanted(index)) yield { type: "frame", frame: this.frameOf(plan, await state.read(), index) };
      if (index + 1 >= until) return;
    }
  }

  /** The states of these frames of the path, in their order, wherever its forks are, without a pass of the decoder. */
  async *states(plan: RunPlan, wanted: readonly number[]): AsyncGenerator<RecallEvent | StateEvent, void> {
    const { begin, first } = plan.path;
    if (plan.parent) {
      const earlier = wanted.filter((index) => index < begin);
      if (earlier.length > 0) yield* this.states(plan.parent, earlier);
    }
    const own = wanted.filter((index) => !plan.parent || index >= begin);
    if (own.length === 0) return;
    const run = yield* this.#open(plan);
    const next = () => (own.length > 0 ? first + (own[0] as number) - begin : undefined);
    for (let step = next(); step !== undefined; step = next()) {
      const from = run.remembered.states.keptBefore(step);
      if (from?.step === step) yield this.#remembered(plan, from, own.shift() as number);
      else yield* this.#goOn(run, from, own);
    }
  }

  /** Follows a run from a state and takes from `own` what comes by, up to a frame that a later state is nearer to. */
  async *#goOn(
    run: OpenRun,
    from: FlowState | undefined,
    own: number[],
  ): AsyncGenerator<RecallEvent | StateEvent, void> {
    const { begin, first } = run.plan.path;
    const before = from?.step ?? first;
    for await (const state of this.#follow(run, from)) {
      const index = state.step - first + begin;
      const wanted = own[0] as number;
      if (index < wanted) {
        if (state.step > before)
          yield { type: "recall", done: state.step - before, total: first + wanted - begin - before };
        continue;
      }
      yield { type: "state", plan: run.plan, index, state };
      own.shift();
      const next = own[0];
      if (next === undefined || (run.remembered.states.keptBefore(first + next - begin)?.step ?? -1) > state.step)
        return;
    }
  }

  /** The state of a run at a frame of its own, bit for bit: remembered, or had again from the nearest one before. */
  async *#stateAt(run: OpenRun, index: number): AsyncGenerator<RecallEvent, FlowState> {
    const step = run.plan.path.first + index - run.plan.path.begin;
    const from = run.remembered.states.keptBefore(step);
    if (from?.step === step) return from;
    const before = from?.step ?? run.plan.path.first;
    for await (const state of this.#follow(run, from)) {
      if (state.step > before) yield { type: "recall", done: state.step - before, total: step - before };
      if (state.step === step) return state.download();
    }
    throw new RangeError(`The run has no frame ${index}.`);
  }

  async *#follow({ plan, remembered, options }: OpenRun, from: FlowState | undefined): AsyncGenerator<LoopState, void> {
    for await (const state of this.#loop.follow(from, plan.recipe.settings, options)) {
      // What may be read later has to be had again without writing the whole run once more.
      const isCheckpoint = this.#choice === "paced" && state.step % CHECKPOINT_STEPS === 0;
      if (this.#loop.statesAreHere || isCheckpoint) remembered.add(await state.download());
      yield state;
      // A pass in wasm never leaves the microtask queue: without this, a cancel would be heard only after the run.
      await nextTask();
    }
  }

  #wantedOf({ recipe, path }: RunPlan): (index: number) => boolean {
    if (this.#choice === "every") return () => true;
    const last = path.times.length - 1;
    if (this.#choice === "last") return (index) => index === last;
    const { passes } = passesOf(recipe.settings, this.source.length > 0, this.model.network.takesSelfCondScale);
    const paced = pacedFrames(last - path.begin, passes);
    return (index) => paced.has(index - path.begin);
  }

  async *#open(plan: RunPlan): AsyncGenerator<RecallEvent, OpenRun> {
    const remembered = this.#memory.recall(plan.key) ?? (yield* this.#begin(plan));
    const clamp = this.#clampOf(plan, remembered.fixed);
    const condition = await this.#conditionOf(plan);
    return { plan, remembered, options: { condition, clamp, signal: this.#signal } };
  }

  /** Encodes what a run holds and, for a fork, finds the state where it begins. */
  async *#begin(plan: RunPlan): AsyncGenerator<RecallEvent, RememberedRun> {
    const { network } = this.model;
    const { source } = this;
    const held = plan.recipe.held ?? [];
    if (!plan.parent) {
      const fixed = await encodeHeld(network, held, { held, source });
      const start = startsElsewhere(plan.recipe) ? await this.#startOf(plan, fixed) : undefined;
      // Not before: a run that was cancelled on the way to its start would be remembered without it, and go on from noise.
      const run = this.#memory.begin(plan.key, fixed);
      if (start) run.add(start);
      return run;
    }

    const parent = yield* this.#open(plan.parent);
    const there = yield* this.#stateAt(parent, plan.path.begin);
    const fresh = newlyHeld(held, plan.parent.recipe.held ?? []);
    const around = fresh.length > 0 ? await this.#guessAt(plan.parent, there, plan.path.begin) : [];
    const added = await encodeHeld(network, fresh, { held, source, around });
    const places = new Set(held.map(({ position }) => source.length + position));
    for (const { position } of added) places.delete(position);
    const kept = parent.remembered.fixed.filter(({ position }) => places.has(position));
    const run = this.#memory.begin(plan.key, [...kept, ...added]);
    const here = { ...there, step: plan.path.first };
    const moved = this.#clampOf(plan, added);
    run.add(moved ? replaceTokens(here, moved) : here);
    return run;
  }

  /** What the model takes the whole text to become, as tokens; of noise, what it reads in it. */
  async #guessAt(plan: RunPlan, state: FlowState, index: number): Promise<Int32Array> {
    return (await this.#read(plan, state, index)).expects.tokens;
  }

  #remembered(plan: RunPlan, state: FlowState, index: number): StateEvent {
    const { selfCondScale } = plan.recipe.settings;
    const read = () => readFrame(this.model.network, { ...state, step: index }, selfCondScale);
    return { type: "state", plan, index, state: { read, download: async () => state } };
  }

  async #read(plan: RunPlan, state: FlowState, index: number): Promise<Frame> {
    const { selfCondScale } = plan.recipe.settings;
    return this.frameOf(plan, await readFrame(this.model.network, { ...state, step: index }, selfCondScale), index);
  }

  /** Along the path of the run from noise, whichever of its forks it is. */
  #clampOf({ recipe }: RunPlan, fixed: readonly Fixed[]): Clamp | undefined {
    if (fixed.length === 0) return undefined;
    const root = rootOf(recipe);
    const { latentSize } = this.model.network;
    const { noiseScale } = this.model.manifest.latent;
    return makeClamp(fixed, root.settings, { noiseScale, latentSize, noise: this.#noiseOf(root) });
  }

  /** Where a run starts that does not start from the noise of its seed. */
  async #startOf(plan: RunPlan, fixed: readonly Fixed[]): Promise<FlowState> {
    const held = { condition: await this.#conditionOf(plan), clamp: this.#clampOf(plan, fixed) };
    const { back } = plan.recipe;
    const noise = back ? await this.#noiseOfText(plan, back) : this.#noiseOf(plan.recipe);
    return startAt(noise, flowConstants(this.model.manifest), held);
  }

  /** s·ε₀ of a run that starts from the noise of a text; (L, D). */
  async #noiseOfText(plan: RunPlan, { ids }: Back): Promise<Float32Array> {
    const { network, manifest } = this.model;
    const [text] = await network.encode([[...this.source, ...ids]]);
    if (!text) throw new Error("The encoder gave nothing.");
    // Positions that neither prompt nor text reaches are zero, which is the mean of all latents.
    const clean = new Float32Array(plan.recipe.settings.length * network.latentSize);
    clean.set(text.subarray(0, clean.length));
    const settings = { ...plan.recipe.settings, schedule: "quantile" as const };
    const condition = await this.#conditionOf(plan);
    const heeded = { condition, signal: this.#signal, pause: nextTask };
    return noiseOf(network, clean, settings, flowConstants(manifest), heeded);
  }

  /** s·ε₀ of a run from noise; (L, D). */
  #noiseOf({ settings, towards }: Recipe): Float32Array {
    const count = settings.length * this.model.network.latentSize;
    return startNoise(settings, towards, this.model.manifest.latent.noiseScale, count);
  }

  #conditionOf({ recipe }: RunPlan): Promise<Condition | undefined> {
    const { network } = this.model;
    const { length } = recipe.settings;
    const sources = this.source.length > 0 ? [this.source] : [];
    this.#condition ??= encodeCondition(network, sources, { batch: 1, length, latentSize: network.latentSize });
    return this.#condition;
  }

  /** A frame as the page shows it: by its number on the path, and only what is written after the prompt. */
  frameOf({ recipe }: RunPlan, frame: Frame, step: number): Frame {
    this.tokens = frame.holds.tokens;
    const from = this.source.length;
    const room = roomOf(recipe.settings.length, from, this.model.manifest.architecture);
    return cutToText({ ...frame, step }, { from, room, held: recipe.held ?? [] });
  }
}
