import { expect, it } from "vitest";
import { runAsFile } from "../../session/kept/files";
import { runOf } from "../../testing/runs";
import { testStudio } from "../../testing/studio";
import { openDropped } from "./placedFiles";

/** What a browser hands over of files that are dropped: entries, each of which gives its file, or throws. */
function dropOf(...files: readonly (File | DOMException)[]): DataTransfer {
  const items = files.map((file, i) => ({
    webkitGetAsEntry: () => ({
      isFile: true,
      fullPath: `/${file instanceof File ? file.name : `gone-${i}.json`}`,
      file: (resolve: (file: File) => void, reject: (reason: unknown) => void) =>
        file instanceof File ? resolve(file) : reject(file),
    }),
    getAsFile: () => null,
  }));
  return { items } as unknown as DataTransfer;
}

it("a run that is dropped comes to the stage", async () => {
  const { studio } = testStudio();
  await openDropped(dropOf(new File([runAsFile(runOf(["▁the", "▁cat"]))], "run.json")), studio);
  expect(studio.generation.getState().problem).toBeNull();
  expect(studio.runs.getState().runs).toMatchObject([{ origin: "opened" }]);
});

it("what is no run is taken for a model, and one without a manifest is refused there", async () => {
  const { studio } = testStudio();
  await openDropped(dropOf(new File(["notes"], "notes.txt")), studio);
  expect(studio.generation.getState().problem).toBeNull();
  expect(studio.library.getState()).toMatchObject({ isOpen: true, problem: { code: "source" } });
});

it("a file that cannot be read is a problem to be seen, and nothing to be tried again", async () => {
  const { studio } = testStudio();
  await openDropped(dropOf(new DOMException("A requested file could not be found.", "NotFoundError")), studio);
  expect(studio.generation.getState()).toMatchObject({
    problem: { message: "A requested file could not be found." },
    retry: null,
  });
  expect(studio.library.getState().isOpen).toBe(false);
});
