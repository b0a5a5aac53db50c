import { expect, it } from "vitest";
import { runOf } from "../testing/runs";
import { announcementOf } from "./announcement";

const run = runOf(["▁sat ▁sat </s>", "▁the ▁cat </s>"]);

it("says the text, and whether it is the last of it", () => {
  expect(announcementOf(run, 1, "holds", "idle")).toBe("Finished: the cat");
  expect(announcementOf(run, 0, "holds", "idle")).toBe("Step 0 of 1: sat sat");
});

it("says a finished text as it is copied, its spaces cleaned up", () => {
  const spaced = { ...runOf(["▁sat", "▁the ▁cat ▁ . </s>"]), text: "the cat." };
  expect(announcementOf(spaced, 1, "holds", "idle")).toBe("Finished: the cat.");
  expect(announcementOf({ ...spaced, text: "" }, 1, "holds", "idle")).toBe("Finished: the cat .");
});

it("does not read every frame of a run being written", () => {
  const running = { ...run, status: "running" as const };
  expect(announcementOf(running, 0, "holds", "running")).toBe(announcementOf(running, 1, "holds", "running"));
});

it("says that the model loads, and nothing where there is nothing", () => {
  expect(announcementOf(run, 1, "holds", "loading")).toBe("Loading the model.");
  expect(announcementOf(undefined, 0, "holds", "idle")).toBe("");
});
