import { expect, it, vi } from "vitest";
import { runOf } from "../../testing/runs";
import { ENGLISH } from "../../words/english";
import type { Run } from "../runs/shelfRun";
import { openFile } from "./files";
import { type SavingParts, saveShelf } from "./saveShelf";

const shelf = ["c", "b", "a"].map((id) => runOf(["▁the ▁cat", "▁the ▁sat"], { id, text: `text ${id}` }));
/** What another version kept, or a disk has damaged. */
const broken = { ...runOf(["▁the"], { id: "broken" }), trajectory: {} } as unknown as Run;

/** Saves runs; those named in `silent` the browser does not hand out. */
async function save(runs: readonly Run[], change: Partial<SavingParts> = {}, silent: readonly string[] = []) {
  const files: { name: string; blob: Blob }[] = [];
  const looked: string[] = [];
  const said = await saveShelf(runs, {
    folding: {
      whole: async function* (wanted) {
        for (const run of wanted) {
          looked.push(run.id);
          if (!silent.includes(run.id)) yield run;
        }
      },
    },
    words: ENGLISH,
    signal: new AbortController().signal,
    onRun: () => {},
    saveAs: (blob, name) => files.push({ name, blob }),
    ...change,
  });
  const opened = files[0] && (await openFile(files[0].blob));
  const texts = opened && "runs" in opened ? opened.runs.map((read) => read().text) : [];
  return { said, looked, texts, names: files.map(({ name }) => name) };
}

it("saves all runs, and says how many have been looked at", async () => {
  const onRun = vi.fn();
  const { said, names, texts } = await save(shelf, { onRun });
  expect(texts).toEqual(["text c", "text b", "text a"]);
  expect(names).toEqual(["elf-playground-runs.json"]);
  expect(said).toBe("Saved as elf-playground-runs.json.");
  expect(onRun.mock.calls.flat()).toEqual([1, 2, 3]);
});

it("saves the others where a run is none, has no frame, or is not handed out, and says how many are left out", async () => {
  const begun = runOf([], { id: "begun", status: "running" });
  const { said, texts } = await save([begun, ...shelf, broken], {}, ["b"]);
  expect(texts).toEqual(["text c", "text a"]);
  expect(said).toMatch(/^Saved as elf-playground-runs\.json\. 3 runs cannot be read now and are left out\./);
});

it("says so where nothing is left to save, and where saving fails", async () => {
  const { said, names } = await save([broken]);
  expect(names).toEqual([]);
  expect(said).toMatch(/^1 run cannot be read now and is left out\./);
  const saveAs = () => {
    throw new Error("The disk is full.");
  };
  expect((await save(shelf, { saveAs })).said).toMatch(/^The disk is full\./);
});

it("is ended between two runs, without a file and without a word", async () => {
  const stop = new AbortController();
  const { said, names, looked } = await save(shelf, {
    signal: stop.signal,
    onRun: (done) => done === 1 && stop.abort(),
  });
  expect({ said, names, looked }).toEqual({ said: null, names: [], looked: ["c", "b"] });
});

it("hears meanwhile that it is to end, though all frames are here", async () => {
  const many = Array.from({ length: 20_000 }, (_, i) => ({ ...(shelf[0] as Run), id: String(i) }));
  const stop = new AbortController();
  setTimeout(() => stop.abort());
  const { said, looked } = await save(many, { signal: stop.signal });
  expect(said).toBeNull();
  expect(looked.length).toBeLessThan(many.length);
});
