/** Writing a text, frame by frame. */
import { CancelledError, SettingsError } from "../flow/errors";
import type { HeldToken } from "../flow/held";
import { type Back, type Branch, branchAt, isEmpty, type Prompt, type Recipe, recipeOf } from "../flow/recipe";
import { type SamplerSettings, unguided } from "../flow/settings";
import { cutAtEnd } from "../flow/tokens";
import type { Towards } from "../flow/towards";
import type { Frame, Trajectory } from "../flow/trajectory";
import { writeTrace } from "../format/trace";
import type { RunResult } from "../run/api";
import { planRecipe, type RunPlan } from "../run/plan";
import { writeRun } from "../run/writeRun";
import type { ElfModel } from "./model";

/** What `generate` is asked for. Only the model has to be given. */
export interface GenerateOptions {
  /** The model that writes. */
  readonly model: ElfModel;
  /** The text, or the token ids, that it writes to. A model that may do without one writes freely where there is none. */
  readonly prompt?: string | Prompt | undefined;
  /** Settings other than the model's own or, for a run that goes on from another, than that one's. */
  readonly settings?: Partial<SamplerSettings> | undefined;
  /** Whose noise to start towards, and how far; the noise of the settings' seed alone unless given. */
  readonly towards?: Towards | undefined;
  /** The text from whose noise to start: a token for every position behind the prompt. */
  readonly back?: Back | undefined;
  /** Tokens to keep, by their positions in the text, from 0. */
  readonly held?: readonly HeldToken[] | undefined;
  /** Where to go on from, by `fork`; from noise unless given. */
  readonly from?: Branch | undefined;
  /** Which frames are read, each in a pass of the decoder: every one unless given, or only the text at t = 1. */
  readonly frames?: "every" | "last" | undefined;
  /** Ends the run between two passes of the network. What it has written until then stays. */
  readonly signal?: AbortSignal | undefined;
}

/** One moment of a run, with its text. */
export interface TextFrame extends Frame {
  /** What the state holds, as text, cut at its end. */
  readonly text: string;
}

/** A run that has ended. */
export interface FinishedRun extends RunResult {
  /** Everything that is needed to show it and to go on from it. */
  readonly trajectory: Trajectory;
}

/**
 * Writes a text. Nothing is computed before the first frame is asked for:
 *
 * ```ts
 * for await (const frame of generate({ model, prompt, signal })) console.log(frame.t, frame.text);
 * ```
 *
 * Or, for the text alone, `const { text } = await generate({ model, prompt, frames: "last" }).finish();`
 *
 * @throws {SettingsError | ConditionError | TokenizerError} it cannot be run; at once. While it runs also the named errors of
 * the network: its device is lost, its memory is full, its numbers are none.
 */
export function generate({
  model,
  prompt,
  settings,
  towards,
  back,
  held,
  from,
  frames,
  signal,
}: GenerateOptions): Generation {
  const { defaults } = model.manifest;
  const asked: Prompt | undefined = typeof prompt === "string" ? { text: prompt.trim() } : prompt;
  // The model's own guidance has nothing to guide by in a prompt that says nothing.
  const given = asked && !isEmpty(asked) ? asked : undefined;
  const own = given ? defaults : unguided(defaults);
  const recipe: Recipe = {
    settings: { ...(from ? from.run.settings : own), ...settings },
    ...(given ? { prompt: given } : {}),
    ...(towards ? { towards } : {}),
    ...(back ? { back } : {}),
    ...(held ? { held } : {}),
    ...(from ? { from } : {}),
  };
  return new Generation(model, planRecipe(model.loaded, recipe), frames ?? "every", signal);
}

/**
 * Where to go on from: a step of a run, for `from` of `generate`. With the same settings the rest is written again, bit for
 * bit; with others, or with words held, it becomes another text.
 */
export function fork(run: FinishedRun | Trajectory, step: number): Branch {
  return branchAt("trajectory" in run ? run.trajectory : run, step);
}

/** A run that is being written, or will be. It can be followed once, frame by frame, and finished from wherever it is. */
export class Generation implements AsyncIterable<TextFrame> {
  readonly #frames: Frame[] = [];
  readonly #steps: AsyncGenerator<TextFrame, FinishedRun>;
  #finished: Promise<FinishedRun> | undefined;
  #end: FinishedRun | undefined;

  /** @internal By `generate`. */
  constructor(
    private readonly model: ElfModel,
    private readonly plan: RunPlan,
    private readonly wanted: "every" | "last",
    signal: AbortSignal | undefined,
  ) {
    this.#steps = this.#follow(signal);
  }

  /** What it writes by: with the same model it writes the same text again. */
  get recipe(): Recipe {
    return recipeOf(this.plan.recipe);
  }

  /** Times of all its frames, from 0 to 1, those of the run that it continues included. */
  get times(): readonly number[] {
    return this.plan.path.times;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<TextFrame, void> {
    try {
      for (;;) {
        const { done, value } = await this.#steps.next();
        if (done) {
          this.#end ??= value;
          return;
        }
        yield value;
      }
    } finally {
      // Left in the middle: the next run need not wait for this one, unless somebody else has it finished.
      if (!this.#end && !this.#finished) this.#end = await this.#stop();
    }
  }

  /** Writes what is left of it, also where whoever follows it leaves. What it draws, they do not see. */
  finish(): Promise<FinishedRun> {
    this.#finished ??= this.#rest();
    return this.#finished;
  }

  /**
   * The run as a file that the page, the element and the command line play and go on from. Finishes it.
   * @throws {SettingsError} it was asked for the last frame alone.
   * @throws {CancelledError} it was ended before its first frame.
   */
  async trace(): Promise<string> {
    if (this.wanted === "last") {
      throw new SettingsError(
        "A run of which only the last frame is read cannot be played.",
        'Leave frames: "last" out.',
      );
    }
    const { trajectory, text } = await this.finish();
    if (trajectory.frames.length === 0) throw new CancelledError();
    return writeTrace({ trajectory, pieces: this.model.pieces, text }, this.model.manifest);
  }

  async #rest(): Promise<FinishedRun> {
    for (;;) {
      if (this.#end) return this.#end;
      const { done, value } = await this.#steps.next();
      // Who follows it may have had the end, or have ended it.
      if (done) this.#end ??= value ?? (await this.#stop());
    }
  }

  async #stop(): Promise<FinishedRun> {
    await this.#steps.return(undefined as never).catch(() => {});
    const tokens = this.#frames.at(-1)?.holds.tokens ?? new Int32Array();
    return { status: "cancelled", tokens, text: this.#textOf(tokens), seconds: 0, trajectory: this.#trajectory() };
  }

  async *#follow(signal: AbortSignal | undefined): AsyncGenerator<TextFrame, FinishedRun> {
    const release = await this.model.turn(signal);
    try {
      const { memory, loaded } = this.model;
      const lead = this.plan.parent !== undefined;
      const run = writeRun(loaded, this.plan, { memory, frames: this.wanted, lead, signal });
      try {
        for (;;) {
          const { done, value } = await run.next();
          if (done) return { ...value, trajectory: this.#trajectory() };
          if (value.type !== "frame") continue;
          this.#frames.push(value.frame);
          yield { ...value.frame, text: this.#textOf(value.frame.holds.tokens) };
        }
      } finally {
        await run.return(undefined as never);
      }
    } finally {
      release();
    }
  }

  #textOf(tokens: Int32Array): string {
    return this.model.detokenize(cutAtEnd(tokens, this.model.manifest.tokens.eos));
  }

  #trajectory(): Trajectory {
    return { ...this.recipe, model: this.model.manifest.name, times: this.times, frames: [...this.#frames] };
  }
}
