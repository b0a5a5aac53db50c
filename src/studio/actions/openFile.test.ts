import { afterEach, expect, it, vi } from "vitest";
import { runAsFile } from "../session/kept/files";
import { runOf } from "../testing/runs";
import { testStudio } from "../testing/studio";
import { perform } from "./action";
import { openFile } from "./openFile";

afterEach(() => void vi.unstubAllGlobals());

/** What the page lets be picked by, and the files of which it is told then. */
function pressed() {
  const picker = {
    remove: vi.fn(),
    click: vi.fn(),
    files: [] as Blob[],
    accept: "",
    onchange: () => {},
    oncancel: () => {},
  };
  vi.stubGlobal("document", { createElement: () => picker, body: { append: vi.fn() } });
  const { studio } = testStudio();
  studio.view.getState().openSaving(true);
  perform(openFile, studio);
  expect(picker.click).toHaveBeenCalledOnce();
  return { studio, picker };
}

it("files that are picked are opened as dropped ones are, and seen", async () => {
  const { studio, picker } = pressed();
  expect(picker).toMatchObject({ type: "file", multiple: true, accept: ".json,.svg,.png,.gif,.mp4,.webm" });
  picker.files = [new Blob([runAsFile(runOf(["▁the", "▁cat"]))])];
  picker.onchange();
  await vi.waitFor(() => expect(studio.runs.getState().runs).toMatchObject([{ origin: "opened" }]));
  expect(studio.view.getState().savingOpen).toBe(false);
  expect(picker.remove).toHaveBeenCalledOnce();
});

it("where nothing is picked, all stays as it is", () => {
  const { studio, picker } = pressed();
  picker.oncancel();
  expect(studio.view.getState().savingOpen).toBe(true);
  expect(picker.remove).toHaveBeenCalledOnce();
});
