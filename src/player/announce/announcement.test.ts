import { expect, it } from "vitest";
import { shownRunOf } from "../testing/runs";
import { announcementOf } from "./announcement";

const run = shownRunOf(["▁sat ▁sat </s>", "▁the ▁cat </s>"]);

it("says the text, and whether it is the last of it", () => {
  expect(announcementOf(run, 1, "holds")).toBe("Finished: the cat");
  expect(announcementOf(run, 0, "holds")).toBe("Step 0 of 1: sat sat");
});

it("says a finished text as it is copied, its spaces cleaned up", () => {
  const spaced = { ...shownRunOf(["▁sat", "▁the ▁cat ▁ . </s>"]), text: "the cat." };
  expect(announcementOf(spaced, 1, "holds")).toBe("Finished: the cat.");
  expect(announcementOf({ ...spaced, text: "" }, 1, "holds")).toBe("Finished: the cat .");
});

it("does not read every frame of a run being written", () => {
  const running = { ...run, status: "running" as const };
  expect(announcementOf(running, 0, "holds")).toBe(announcementOf(running, 1, "holds"));
});

it("says what an app has to say instead, and nothing where there is nothing", () => {
  expect(announcementOf(run, 1, "holds", "Loading the model.")).toBe("Loading the model.");
  expect(announcementOf(null, 0, "holds")).toBe("");
});
