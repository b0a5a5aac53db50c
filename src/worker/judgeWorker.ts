/** The judge's worker, which runs it on the CPU, wherever the model beside it runs. Started by `judge.ts`. */
import { expose, type Remote } from "comlink";
import wasmMjs from "onnxruntime-web/ort-wasm-simd-threaded.mjs?url";
import wasm from "onnxruntime-web/ort-wasm-simd-threaded.wasm?url";
import { fetchJudge, fetchJudgeManifest, judgeBytes } from "../delivery/judgeFiles";
import { watchPolicy } from "../delivery/policy";
import { fetchFromHost } from "../delivery/sources";
import type { DownloadProgress } from "../delivery/store/download";
import type { Judgement } from "../flow/judging";
import { NoModelError } from "../run/errors";
import { Judge } from "../runtime/judge";
import { startWasm } from "../runtime/runtime";
import type { JudgeApi } from "./judgeProtocol";
import { carryErrors } from "./namedErrors";
import { delivering } from "./reports";

let judge: Judge | undefined;
let underWay = new AbortController();

function opened(): Judge {
  if (!judge) throw new NoModelError("There is no judge yet.", "Fetch it first.");
  return judge;
}

watchPolicy();
carryErrors();
expose({
  look: async (baseUrl) => {
    const manifest = await fetchJudgeManifest({ baseUrl, fetchFile: fetchFromHost, signal: underWay.signal });
    return { manifest, bytes: judgeBytes(manifest) };
  },
  open: (baseUrl, onProgress) =>
    delivering(onProgress as Remote<typeof onProgress>, async (report: (progress: DownloadProgress) => void) => {
      const { signal } = underWay;
      const files = await fetchJudge({ baseUrl, fetchFile: fetchFromHost, signal, onProgress: report });
      const runtime = await startWasm({
        mjs: new URL(wasmMjs, import.meta.url).href,
        wasm: new URL(wasm, import.meta.url).href,
      });
      // Whatever becomes of the new one, the old one is gone.
      const old = judge;
      judge = undefined;
      await old?.dispose();
      judge = await Judge.open(files, runtime);
      return judge.tokenizer.pieces;
    }),
  judge: async (texts) => {
    const judgements: Judgement[] = [];
    for (const { text, source } of texts) judgements.push(await opened().judge(text, source));
    return judgements;
  },
  write: (request) => opened().write(request, undefined, underWay.signal),
  cancel: async () => {
    underWay.abort();
    underWay = new AbortController();
  },
} satisfies JudgeApi);
