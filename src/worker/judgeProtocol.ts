import type { DownloadProgress } from "../delivery/store/download";
import type { Judgement } from "../flow/judging";
import type { JudgeManifest } from "../format/judgeManifest";
import type { WriteRequest, WrittenByToken } from "../runtime/judge";

/** A text to be judged. */
export interface TextToJudge {
  readonly text: string;
  /** What it goes on from; empty where it stands alone. */
  readonly source: string;
}

/** The face of the judge's worker, which works beside an engine that may be busy. Rejects with named errors only. */
export interface JudgeApi {
  /** Says what a judge is, without fetching it. `baseUrl` is the folder that holds `judge.json`, ending in `/`. */
  look(baseUrl: string): Promise<{ readonly manifest: JudgeManifest; readonly bytes: number }>;
  /** Fetches a judge and opens it, in the place of the one before. Answers the piece of each of its token ids. */
  open(baseUrl: string, onProgress: (progress: DownloadProgress) => void): Promise<readonly string[]>;
  /** Judges texts, one after the other. @throws {NoModelError} none is open. */
  judge(texts: readonly TextToJudge[]): Promise<Judgement[]>;
  /** Lets the judge write, token by token. @throws {NoModelError} none is open. */
  write(request: WriteRequest): Promise<WrittenByToken>;
  /** Ends what is fetched or written now. */
  cancel(): Promise<void>;
}
