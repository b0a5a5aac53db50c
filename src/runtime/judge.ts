import type { InferenceSession, Tensor } from "onnxruntime-web";
import type { JudgeFiles } from "../delivery/judgeFiles";
import { CancelledError, ConditionError } from "../flow/errors";
import {
  type DrawnToken,
  drawToken,
  type Judgement,
  judgedAnswer,
  judgedText,
  judgementOf,
  uniformAt,
} from "../flow/judging";
import type { JudgeManifest } from "../format/judgeManifest";
import { named } from "./graphs";
import type { Runtime } from "./runtime";
import { createTokenizer, type Tokenizer } from "./tokenizer";

const RELOAD = "Reload the page; if it stays, export the judge again with `elf export-judge`.";

/** Tokens shown beside the one that was drawn. */
const RIVALS = 5;

/** What a judge is to write. */
export interface WriteRequest {
  /** The text that it goes on from, or answers; not empty, for no judge knows how texts begin. */
  readonly source: string;
  /** An integer, 0 … 2³² − 1: the same seed gives the same text again. An answer is always the likeliest. */
  readonly seed: number;
  /** Most tokens of source and text together, its end included. */
  readonly length: number;
}

/** What a judge wrote. */
export interface WrittenByToken {
  /** Tokens of the source. */
  readonly given: readonly number[];
  /** Those that were drawn after it, its end not among them. */
  readonly drawn: readonly DrawnToken[];
  /** What was drawn, as text. */
  readonly text: string;
  readonly seconds: number;
}

/** A graph's inputs besides the tokens and what was read before them. */
type Given = Readonly<Record<string, Tensor>>;

/**
 * A small next-word language model, which judges texts and can write some, one token after the other: it goes on from a text or,
 * where it has a reader, answers one.
 */
export class Judge {
  private constructor(
    readonly manifest: JudgeManifest,
    readonly tokenizer: Tokenizer,
    private readonly runtime: Runtime,
    private readonly writer: InferenceSession,
    private readonly reader: InferenceSession | undefined,
  ) {}

  /** Opens a judge on a CPU runtime, which then belongs to it, or is released on failure. @throws {SessionError | TokenizerError | OutOfMemoryError} */
  static async open({ manifest, tokenizer, graph, reader, weights }: JudgeFiles, runtime: Runtime): Promise<Judge> {
    const sessions: InferenceSession[] = [];
    const opened = async (bytes: Uint8Array) => {
      const session = await named("The judge cannot be opened", () => runtime.createSession(bytes, weights), RELOAD);
      sessions.push(session);
      return session;
    };
    try {
      const read = await createTokenizer(tokenizer, manifest.architecture.vocabularySize);
      return new Judge(manifest, read, runtime, await opened(graph), reader && (await opened(reader)));
    } catch (error) {
      for (const session of sessions) await runtime.releaseSession(session);
      runtime.release();
      throw error;
    }
  }

  /**
   * Judges a text after its source, which is not judged: it goes before the text or, where the judge has a reader, is read by that.
   * @throws {SessionError} the runtime fails. @throws {ConditionError} an answer without a source.
   */
  async judge(text: string, source = ""): Promise<Judgement> {
    const { eos, architecture, source: answers } = this.manifest;
    const [own = [], given = []] = [text, source].map((part) => (part === "" ? [] : this.tokenizer.encode(part)));
    const read = answers
      ? judgedAnswer(own, answers.before, architecture.maxLength, eos)
      : judgedText(own, given, architecture.maxLength, eos);
    if (read.ids.length < 2) return judgementOf(read, new Float32Array(), architecture.vocabularySize, eos);
    const { logits } = await this.#read(read.ids.slice(0, -1), this.#noPast(), await this.#memoryOf(given));
    return judgementOf(read, logits, architecture.vocabularySize, eos);
  }

  /**
   * Goes on from a text, or answers it, token by token, to its end or to the length that is wanted. `onToken` is told of each.
   * @throws {ConditionError} there is nothing to go on from, or no room. @throws {CancelledError | SessionError}
   */
  async write(
    { source, seed, length }: WriteRequest,
    onToken: (drawn: DrawnToken) => void = () => {},
    signal?: AbortSignal,
  ): Promise<WrittenByToken> {
    const { eos, architecture, source: answers } = this.manifest;
    const given = this.tokenizer.encode(source);
    // An answer has its own places, and so has the source.
    const room = Math.min(length - given.length, architecture.maxLength - (answers ? 0 : given.length));
    if (given.length === 0 || room <= 0) {
      throw new ConditionError(
        given.length === 0 ? "A next-word model goes on from a word." : "There is no room left behind these words.",
        "Give it a few words to go on from.",
      );
    }
    const began = performance.now();
    const drawn: DrawnToken[] = [];
    const memory = await this.#memoryOf(given);
    let next = await this.#read(answers ? [answers.before] : given, this.#noPast(), memory);
    while (drawn.length < room) {
      // Reading a token never waits for anything by itself, and a cancel would not be heard.
      await new Promise((resolve) => setTimeout(resolve));
      if (signal?.aborted) throw new CancelledError();
      const last = next.logits.subarray(next.logits.length - architecture.vocabularySize);
      const token = drawToken(last, answers ? null : uniformAt(seed, drawn.length), RIVALS);
      if (token.token === eos) break;
      drawn.push(token);
      onToken(token);
      if (drawn.length < room) next = await this.#read([token.token], next.present, memory);
    }
    const seconds = (performance.now() - began) / 1000;
    return { given, drawn, text: this.tokenizer.decode(drawn.map(({ token }) => token)), seconds };
  }

  async dispose(): Promise<void> {
    await this.runtime.releaseSession(this.writer);
    if (this.reader) await this.runtime.releaseSession(this.reader);
    this.runtime.release();
  }

  async #read(
    tokens: readonly number[],
    past: Tensor,
    given: Given,
  ): Promise<{ logits: Float32Array; present: Tensor }> {
    const outputs = await this.#run(this.writer, { tokens: this.#row(tokens), past, ...given }, ["logits", "present"]);
    return { logits: outputs.logits?.data as Float32Array, present: outputs.present as Tensor };
  }

  /** What the reader makes of a source; nothing where there is none. */
  async #memoryOf(source: readonly number[]): Promise<Given> {
    const { reader, manifest } = this;
    if (!reader || !manifest.source) return {};
    if (source.length === 0) throw new ConditionError("A translator needs a text to translate.", "Give it one.");
    const tokens = this.#row(source.slice(0, manifest.source.maxLength));
    const { memory } = await this.#run(reader, { tokens }, ["memory"]);
    return { memory: memory as Tensor };
  }

  #run(session: InferenceSession, inputs: Given, outputs: string[]) {
    return named("The judge failed", () => this.runtime.run(session, inputs, outputs), RELOAD);
  }

  #row(tokens: readonly number[]): Tensor {
    return new this.runtime.ort.Tensor("int64", BigInt64Array.from(tokens, BigInt), [1, tokens.length]);
  }

  #noPast(): Tensor {
    const { layers, heads, width } = this.manifest.architecture;
    return new this.runtime.ort.Tensor("float32", new Float32Array(), [2 * layers, 1, heads, 0, width / heads]);
  }
}
