import type { Judgement } from "../../flow/judging";
import type { JudgeManifest } from "../../format/judgeManifest";
import type { WriteRequest, WrittenByToken } from "../../runtime/judge";
import type { JudgeApi, TextToJudge } from "../../worker/judgeProtocol";
import { PIECES } from "./runs";

export const JUDGE_MANIFEST: JudgeManifest = {
  schemaVersion: 1,
  name: "stories-judge",
  title: "Judge",
  description: "",
  licence: "MIT",
  corpus: "tests",
  architecture: { vocabularySize: PIECES.length, maxLength: 16, width: 4, layers: 1, heads: 1, parameters: 2e6 },
  eos: 1,
  graph: "onnx/judge.onnx",
  weights: { dtype: "f32", index: "onnx/weights-f32.json", shards: ["onnx/weights-f32-00001.bin"], bytes: 8 },
  realText: { texts: 2, tokens: 20, perplexity: 12, entropy: 3.5, samples: [{ entropy: 3, perplexity: 9 }] },
  files: [],
};

/** One that answers sources. */
export const TRANSLATOR_MANIFEST: JudgeManifest = {
  ...JUDGE_MANIFEST,
  name: "translate-yardstick",
  source: { graph: "onnx/reader.onnx", maxLength: 16, before: 0 },
};

/** A judge that answers at once: as many nats as a text has letters. */
export class FakeJudge implements JudgeApi {
  constructor(readonly manifest: JudgeManifest = JUDGE_MANIFEST) {}

  readonly judged: TextToJudge[] = [];
  readonly written: WriteRequest[] = [];
  opened = 0;
  cancelled = 0;
  /** What the next call fails with. */
  fault: Error | null = null;

  async look() {
    return this.#orFail({ manifest: this.manifest, bytes: 5_000_000 });
  }

  async open(...[, onProgress]: Parameters<JudgeApi["open"]>): Promise<readonly string[]> {
    onProgress({ loadedBytes: 1, totalBytes: 2, wait: null });
    this.opened++;
    return this.#orFail(PIECES);
  }

  async judge(texts: readonly TextToJudge[]): Promise<Judgement[]> {
    this.judged.push(...texts);
    return this.#orFail(
      texts.map(({ text }) => ({ nats: text.length, tokens: 2, perplexity: Math.exp(text.length / 20), entropy: 1 })),
    );
  }

  async write(request: WriteRequest): Promise<WrittenByToken> {
    this.written.push(request);
    const drawn = [5, 6].map((token) => ({
      token,
      probability: 0.5,
      entropy: 1,
      topTokens: [token, 3],
      topProbabilities: [0.5, 0.2],
    }));
    return this.#orFail({ given: [4], drawn, text: "sat on", seconds: 2 });
  }

  async cancel(): Promise<void> {
    this.cancelled++;
  }

  #orFail<T>(answer: T): T {
    const { fault } = this;
    this.fault = null;
    if (fault) throw fault;
    return answer;
  }
}
