import { expose, releaseProxy } from "comlink";
import { beforeAll, expect, it, vi } from "vitest";
import { NoModelError } from "../run/errors";
import { SessionError } from "../runtime/graphs";
import { Judge } from "../runtime/judge";
import type { JudgeApi } from "./judgeProtocol";

vi.mock("comlink", async (original) => ({ ...(await original<typeof import("comlink")>()), expose: vi.fn() }));
vi.mock("../delivery/judgeFiles", () => ({ fetchJudge: async () => ({}) }));
vi.mock("../runtime/runtime", async (original) => ({
  ...(await original<typeof import("../runtime/runtime")>()),
  startWasm: async () => ({}),
}));

let worker: JudgeApi;
beforeAll(async () => {
  // A worker listens to what is forbidden it.
  vi.stubGlobal("addEventListener", () => {});
  await import("./judgeWorker");
  worker = vi.mocked(expose).mock.calls[0]?.[0] as JudgeApi;
});

it("has no judge where another could not be opened in the place of the first, and opens one after that", async () => {
  const dispose = vi.fn(async () => {});
  const judge = { tokenizer: { pieces: ["a"] }, dispose, judge: async () => ({ nats: 1 }) } as unknown as Judge;
  const opening = vi.spyOn(Judge, "open").mockResolvedValueOnce(judge);
  const onProgress = Object.assign(() => {}, { [releaseProxy]: () => {} });
  const open = () => worker.open("https://host/judge/", onProgress);
  const judged = () => worker.judge([{ text: "A cat", source: "" }]);
  expect(await open()).toEqual(["a"]);
  expect(await judged()).toEqual([{ nats: 1 }]);

  opening.mockRejectedValueOnce(new SessionError("No kernel.", ""));
  await expect(open()).rejects.toThrow(SessionError);
  expect(dispose).toHaveBeenCalledOnce();
  await expect(judged()).rejects.toThrow(NoModelError);

  opening.mockResolvedValueOnce(judge);
  expect(await open()).toEqual(["a"]);
  expect(dispose).toHaveBeenCalledOnce();
});
