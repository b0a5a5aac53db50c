import type { InferenceSession, Tensor } from "onnxruntime-web";
import type { JudgeFiles } from "../delivery/judgeFiles";
import { CancelledError, ConditionError } from "../flow/errors";
import { type DrawnToken, drawToken, type Judgement, judgedText, judgementOf, uniformAt } from "../flow/judging";
import type { JudgeManifest } from "../format/judgeManifest";
import { named } from "./graphs";
import type { Runtime } from "./runtime";
import { createTokenizer, type Tokenizer } from "./tokenizer";

const RELOAD = "Reload the page; if it stays, export the judge again with `elf export-judge`.";

/** Tokens shown beside the one that was drawn. */
const RIVALS = 5;

/** What a judge is to write. */
export interface WriteRequest {
  /** The text that it goes on from; not empty, for no judge knows how texts begin. */
  readonly source: string;
  /** An integer, 0 … 2³² − 1: the same seed gives the same text again. */
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

/** A small next-word language model, which judges texts and can write some, one token after the other. */
export class Judge {
  private constructor(
    readonly manifest: JudgeManifest,
    readonly tokenizer: Tokenizer,
    private readonly runtime: Runtime,
    private readonly session: InferenceSession,
  ) {}

  /** Opens a judge on a CPU runtime, which then belongs to it. @throws {SessionError | TokenizerError | OutOfMemoryError} */
  static async open({ manifest, tokenizer, graph, weights }: JudgeFiles, runtime: Runtime): Promise<Judge> {
    const read = await createTokenizer(tokenizer, manifest.architecture.vocabularySize);
    const session = await named("The judge cannot be opened", () => runtime.createSession(graph, weights), RELOAD);
    return new Judge(manifest, read, runtime, session);
  }

  /**
   * Judges a text after its source, which goes before it and is not judged.
   * @throws {SessionError} the runtime fails.
   */
  async judge(text: string, source = ""): Promise<Judgement> {
    const { eos, architecture } = this.manifest;
    const [own, given] = [text, source].map((part) => (part === "" ? [] : this.tokenizer.encode(part)));
    const read = judgedText(own ?? [], given ?? [], architecture.maxLength, eos);
    if (read.ids.length < 2) return judgementOf(read, new Float32Array(), architecture.vocabularySize, eos);
    const { logits } = await this.#read(read.ids.slice(0, -1), this.#noPast());
    return judgementOf(read, logits, architecture.vocabularySize, eos);
  }

  /**
   * Goes on from a text, token by token, to its end or to the length that is wanted. `onToken` is told of each.
   * @throws {ConditionError} there is nothing to go on from, or no room. @throws {CancelledError | SessionError}
   */
  async write(
    { source, seed, length }: WriteRequest,
    onToken: (drawn: DrawnToken) => void = () => {},
    signal?: AbortSignal,
  ): Promise<WrittenByToken> {
    const { eos, architecture } = this.manifest;
    const given = this.tokenizer.encode(source);
    const most = Math.min(length, architecture.maxLength);
    if (given.length === 0 || given.length >= most) {
      throw new ConditionError(
        given.length === 0 ? "A next-word model goes on from a word." : "There is no room left behind these words.",
        "Give it a few words to go on from.",
      );
    }
    const began = performance.now();
    const drawn: DrawnToken[] = [];
    let next = await this.#read(given, this.#noPast());
    while (given.length + drawn.length < most) {
      // Reading a token never waits for anything by itself, and a cancel would not be heard.
      await new Promise((resolve) => setTimeout(resolve));
      if (signal?.aborted) throw new CancelledError();
      const last = next.logits.subarray(next.logits.length - architecture.vocabularySize);
      const token = drawToken(last, uniformAt(seed, drawn.length), RIVALS);
      if (token.token === eos) break;
      drawn.push(token);
      onToken(token);
      if (given.length + drawn.length < most) next = await this.#read([token.token], next.present);
    }
    const seconds = (performance.now() - began) / 1000;
    return { given, drawn, text: this.tokenizer.decode(drawn.map(({ token }) => token)), seconds };
  }

  async dispose(): Promise<void> {
    await this.runtime.releaseSession(this.session);
    this.runtime.release();
  }

  async #read(tokens: readonly number[], past: Tensor): Promise<{ logits: Float32Array; present: Tensor }> {
    const ids = BigInt64Array.from(tokens, BigInt);
    const inputs = { tokens: new this.runtime.ort.Tensor("int64", ids, [1, tokens.length]), past };
    const outputs = await named(
      "The judge failed",
      () => this.runtime.run(this.session, inputs, ["logits", "present"]),
      RELOAD,
    );
    return { logits: outputs.logits?.data as Float32Array, present: outputs.present as Tensor };
  }

  #noPast(): Tensor {
    const { layers, heads, width } = this.manifest.architecture;
    return new this.runtime.ort.Tensor("float32", new Float32Array(), [2 * layers, 1, heads, 0, width / heads]);
  }
}
