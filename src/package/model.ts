/** A model as the package hands it out: what it is, what it runs on, and its two halves, the writer and the reader. */
import { ConditionError } from "../flow/errors";
import type { Source } from "../flow/network";
import { type Reversal, type ReverseSettings, reverse } from "../flow/reverse";
import { checkSettings } from "../flow/settings";
import { wellFormed } from "../flow/text";
import { flowConstants, type Manifest } from "../format/manifest";
import { RunMemory } from "../run/memory";
import { Turns } from "../run/turns";
import { backendInWords } from "../runtime/backendInWords";
import type { Model } from "../runtime/load";
import type { Backend } from "../runtime/runtime";

/** A loaded model, ready to write. Made by `loadModel`; runs of it are written by `generate`. */
export class ElfModel {
  /** What of earlier runs is remembered, for runs that go on from them. */
  readonly #memory = new RunMemory();
  readonly #turns = new Turns();
  #disposed: Promise<void> | undefined;

  /** @internal Of a model that `runtime` has loaded. */
  constructor(
    /** @internal */
    readonly loaded: Model,
  ) {}

  /** What the model's maker says of it: title, architecture, defaults, presets, tokens, files. */
  get manifest(): Manifest {
    return this.loaded.manifest;
  }

  /** What it runs on. */
  get backend(): Backend {
    return this.loaded.backend;
  }

  /** What it runs on, in a few words: "WebGPU · fused attention", "WASM · 2 threads". */
  get backendLabel(): string {
    return backendInWords(this.loaded);
  }

  /** Why it runs on that, one sentence. */
  get backendReason(): string {
    return this.loaded.reason;
  }

  /** The piece of each token id, as the tokenizer spells it (`▁` marks a space before). */
  get pieces(): readonly string[] {
    return this.loaded.tokenizer.pieces;
  }

  /**
   * The token ids of a text, without special ones.
   * @throws {TokenizerError} the model has no tokenizer.
   */
  tokenize(text: string): Source {
    return this.loaded.tokenizer.encode(wellFormed(text));
  }

  /** The text of token ids, without the special ones. */
  detokenize(tokens: Iterable<number>): string {
    return this.loaded.tokenizer.decode(tokens);
  }

  /**
   * The latents that the model's encoder makes of a text: (length, latentSize) row-major, normalised as the flow has them
   * (spec section 2).
   * @throws {ConditionError} the model has no encoder. @throws {TokenizerError} it has no tokenizer.
   */
  async encode(text: string | Source): Promise<Float32Array> {
    const source = typeof text === "string" ? this.tokenize(text) : text;
    const [latents] = await this.#turns.take("encode", undefined, () => this.loaded.network.encode([source]));
    return latents as Float32Array;
  }

  /**
   * Takes a text back to the noise that the ODE would have made it from, and forward again. Settings that are left out are
   * the model's own; `length` is that of the text, its end-of-sequence token included.
   * @throws {ConditionError} the model has no encoder, or the text is longer than what the model writes.
   * @throws {SettingsError}
   */
  async reverse(text: string | Source, settings: Partial<ReverseSettings> = {}): Promise<Reversal> {
    const { architecture, tokens, defaults } = this.manifest;
    const own = typeof text === "string" ? this.tokenize(text) : text;
    const ids = own.at(-1) === tokens.eos ? own : [...own, tokens.eos];
    if (ids.length > architecture.maxLength) {
      throw new ConditionError(
        `The text has ${ids.length} tokens with its end, and the model writes at most ${architecture.maxLength}.`,
        "Shorten the text.",
      );
    }
    const usual = { ...defaults, cfgScale: 1, schedule: "quantile" as const };
    const wanted = { ...usual, ...settings, method: "ode" as const, length: ids.length };
    checkSettings(wanted, architecture.maxLength, true);
    const clean = await this.encode(ids);
    return this.#turns.take("reverse", undefined, () =>
      reverse(this.loaded.network, clean, wanted, flowConstants(this.manifest)),
    );
  }

  /** Gives its memory back, the GPU's too, when what was asked of it before has ended. It cannot be used after. */
  dispose(): Promise<void> {
    this.#disposed ??= this.#turns.take("dispose", undefined, async () => {
      this.#memory.clear();
      await this.loaded.network.dispose();
    });
    return this.#disposed;
  }

  /** @internal */
  get memory(): RunMemory {
    return this.#memory;
  }

  /**
   * @internal Waits for what was asked for before, unless it is ended meanwhile, and is waited for by what comes after until
   * the function that it gives is called.
   */
  turn(signal: AbortSignal | undefined): Promise<() => void> {
    return new Promise((begin) => {
      void this.#turns.take("run", signal, () => new Promise<void>(begin));
    });
  }
}
