import { proxy } from "comlink";
import { startBundled } from "./elsewhere";
import type { JudgeApi } from "./judgeProtocol";
import { SideWorker } from "./sideWorker";

/** Makes a client of the judge; its worker starts with the first call, and another after one that crashed. */
export function createJudge(startWorker: () => Worker = () => startBundled(startJudgeWorker, "elf-judge")): JudgeApi {
  const side = new SideWorker<JudgeApi>("judge", startWorker);
  return {
    look: (baseUrl) => side.call((remote) => remote.look(baseUrl)),
    open: (baseUrl, onProgress) => side.call((remote) => remote.open(baseUrl, proxy(onProgress))),
    judge: (texts) => side.call((remote) => remote.judge(texts)),
    write: (request) => side.call((remote) => remote.write(request)),
    cancel: () => side.call((remote) => remote.cancel()),
  };
}

function startJudgeWorker(): Worker {
  return new Worker(new URL("./judgeWorker.ts", import.meta.url), { type: "module", name: "elf-judge" });
}
