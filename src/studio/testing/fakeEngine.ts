import { CancelledError } from "../../flow/errors";
import type { Source } from "../../flow/network";
import type { Paths } from "../../flow/paths";
import type { Recipe } from "../../flow/recipe";
import type { Frame } from "../../flow/trajectory";
import type { Manifest } from "../../format/manifest";
import type {
  LoadedModel,
  LoadProgress,
  LoadRequest,
  ReadEvent,
  ReadRequest,
  RecallEvent,
  RunEvent,
  RunRequest,
  RunResult,
} from "../../run/api";
import type { EngineClient } from "../../worker/protocol";
import { frameOf, PIECES, pathsOfLength, SETTINGS } from "./runs";

export const MANIFEST = {
  name: "test",
  title: "Test",
  description: "",
  licence: "MIT",
  architecture: {
    maxLength: 16,
    maxInputLength: 0,
    sourceOptional: false,
    vocabularySize: PIECES.length,
    parameters: 1e6,
  },
  tokens: { pad: 0, eos: 1, unk: 2 },
  defaults: SETTINGS,
  examples: [],
  presets: [],
  graphs: {
    denoiser: { file: "onnx/denoiser.onnx" },
    decoder: { file: "onnx/decoder.onnx" },
    encoder: { file: "onnx/encoder.onnx" },
  },
  dtypes: { f32: { index: "onnx/weights-f32.json", shards: ["onnx/weights-f32-00001.bin"] } },
  defaultDtype: "f32",
  files: [
    { path: "onnx/denoiser.onnx", bytes: 10, sha256: "" },
    { path: "onnx/decoder.onnx", bytes: 20, sha256: "" },
    { path: "onnx/encoder.onnx", bytes: 400, sha256: "" },
    { path: "onnx/weights-f32.json", bytes: 50, sha256: "" },
    { path: "onnx/weights-f32-00001.bin", bytes: 1000, sha256: "" },
    { path: "tokenizer.json", bytes: 5, sha256: "" },
    { path: "README.md", bytes: 9000, sha256: "" },
  ],
} as unknown as Manifest;

interface Task {
  step(): void;
  reject(reason: unknown): void;
}

/** An engine that answers when the test says so. */
export class FakeEngine implements EngineClient {
  loads = 0;
  manifest = MANIFEST;
  restored = 0;
  readonly requests: LoadRequest[] = [];
  readonly generated: RunRequest[] = [];
  /** Thrown instead of the next answer. */
  fault: { load?: unknown; generate?: unknown } = {};
  backend: LoadedModel["backend"] = "wasm";
  /** What is under way: a load, or runs. */
  readonly #tasks = new Set<Task>();
  readonly #listeners: ((reason: Error) => void)[] = [];

  load(
    request: LoadRequest,
    onProgress: (progress: LoadProgress) => void,
    signal?: AbortSignal | undefined,
  ): Promise<LoadedModel> {
    this.loads++;
    this.requests.push(request);
    onProgress({ phase: "manifest" });
    if (this.fault.load) return Promise.reject(this.fault.load);
    return this.#begin((resolve, reject) => {
      signal?.addEventListener("abort", () => reject(new CancelledError()));
      return () =>
        resolve({
          manifest: this.manifest,
          dtype: "f32",
          backend: this.backend,
          variant: "plain",
          threads: 1,
          backendReason: "A test.",
          lasting: true,
          pieces: PIECES,
        });
    });
  }

  generate(
    request: RunRequest,
    onEvent: (event: RunEvent) => void,
    signal?: AbortSignal | undefined,
  ): Promise<RunResult> {
    this.generated.push(request);
    const { settings } = request;
    return this.#begin((resolve, reject) => {
      const first = request.from && !request.lead ? request.from.step : 0;
      let step = first;
      const end = (status: RunResult["status"]) =>
        resolve({ status, tokens: new Int32Array(), text: `after ${step - 1}`, seconds: 2 });
      signal?.addEventListener("abort", () => end("cancelled"));
      onEvent({
        type: "start",
        times: Array.from({ length: settings.steps + 1 }, (_, k) => k / settings.steps),
        first,
      });
      return () => {
        if (this.fault.generate && step > first) reject(this.fault.generate);
        else if (this.isSent(step)) onEvent({ type: "frame", frame: this.#frame(step, settings.steps) });
        if (step++ === settings.steps) end("done");
      };
    });
  }

  /** A task that goes on by the step that `begin` returns, until it is settled. */
  #begin<T>(begin: (resolve: (answer: T) => void, reject: (reason: unknown) => void) => () => void): Promise<T> {
    return new Promise((resolve, reject) => {
      const task: Task = { step: () => {}, reject: (reason) => settle(() => reject(reason)) };
      const settle = (how: () => void) => {
        this.#tasks.delete(task);
        how();
      };
      this.#tasks.add(task);
      task.step = begin((answer) => settle(() => resolve(answer)), task.reject);
    });
  }

  /** Which frames are read while a run is written. */
  isSent: (step: number) => boolean = () => true;

  #frame(step: number, steps: number): Frame {
    return frameOf(step, steps, "▁the", step > 1 ? "▁cat" : "▁sat");
  }

  /** Frames asked for by `read`, oldest request first. */
  readonly reads: (readonly number[])[] = [];
  /** Which reading each of them was to begin with. */
  readonly firsts: ReadRequest["first"][] = [];
  /** Waited for before each frame that is read, and before each half of one. */
  beforeRead: () => Promise<void> = async () => {};

  async read(
    { steps, first, settings }: ReadRequest,
    onEvent: (event: ReadEvent) => void,
    signal?: AbortSignal | undefined,
  ): Promise<void> {
    this.reads.push(steps);
    this.firsts.push(first);
    for (const step of steps) {
      const frame = this.#frame(step, settings.steps);
      await this.beforeRead();
      if (signal?.aborted) return;
      if (first) {
        onEvent({ type: "frame", frame: { ...frame, awaits: first === "holds" ? "expects" : "holds" } });
        await this.beforeRead();
        if (signal?.aborted) return;
      }
      onEvent({ type: "frame", frame });
    }
  }

  /** Frames whose paths were asked for, oldest request first. */
  readonly pathsAsked: number[] = [];

  async paths(
    _recipe: Recipe,
    frames: number,
    _onEvent: (event: RecallEvent) => void,
    signal?: AbortSignal | undefined,
  ): Promise<Paths | null> {
    this.pathsAsked.push(frames);
    await this.beforeRead();
    return signal?.aborted ? null : pathsOfLength(frames, 2);
  }

  /** One token for each word of the vocabulary of tests. */
  async tokenize(text: string): Promise<Source> {
    return text.split(/\s+/).flatMap((word) => (word === "" ? [] : [Math.max(2, PIECES.indexOf(`▁${word}`))]));
  }

  async dispose(): Promise<void> {}

  restore(onProgress: (progress: LoadProgress) => void, signal?: AbortSignal | undefined): Promise<LoadedModel> {
    this.restored++;
    return this.load({ baseUrl: "", backend: "auto" }, onProgress, signal);
  }

  onLost(listener: (reason: Error) => void): () => void {
    this.#listeners.push(listener);
    return () => {};
  }

  terminate(): void {}

  /** Loses the model, as an engine does whose GPU is gone; a run under way fails with `reason`. */
  lose(reason: Error): void {
    for (const listener of this.#listeners) listener(reason);
    for (const task of [...this.#tasks]) task.reject(reason);
  }

  /** Lets the load finish, or each run go one frame on, and waits until the page has heard of it. */
  async go(frames = 1): Promise<void> {
    for (let i = 0; i < frames; i++) {
      for (const task of [...this.#tasks]) task.step();
      await settled();
    }
  }
}

/** Waits for everything that promises have in store. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}
