import { expect, it } from "vitest";
import { MANIFEST } from "../../testing/fakeEngine";
import { createModel, downloadBytes } from "./model";

it("counts what a load fetches: graphs, weights and tokenizer once each, no papers", () => {
  expect(downloadBytes(MANIFEST)).toBe(10 + 20 + 400 + 50 + 1000 + 5);
});

it("keeps the download in sight through the later phases", () => {
  const model = createModel("test");
  model.getState().begin();
  model.getState().report({ phase: "download", loadedBytes: 50, totalBytes: 100, wait: null }, 1);
  model.getState().report({ phase: "session", graph: "denoiser" }, 2);
  expect(model.getState().progress).toMatchObject({
    phase: "session",
    graph: "denoiser",
    download: { loadedBytes: 50 },
  });
});

it("turns a deaf ear to news of a load that was given up", () => {
  const model = createModel("test");
  model.getState().begin();
  model.getState().giveUp("recorded");
  model.getState().report({ phase: "check", graph: "denoiser" }, 1);
  expect(model.getState()).toMatchObject({ status: "recorded", progress: null });
});
