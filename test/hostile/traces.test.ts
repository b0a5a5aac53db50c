import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readTrace, writeTrace } from "../../src/format/trace";
import { withPngText } from "../../src/player/export/pngText";
import { recordedRun } from "../../src/player/run/run";
import { openFile, RunFileError } from "../../src/studio/session/kept/files";
import { byteFiles, jsonFiles } from "./inputs";
import { withstands } from "./withstands";

const TRACES = ["stories-fast", "translate-de-en"].map((name) => readFileSync(`public/traces/${name}.json`, "utf8"));

describe("recorded runs", () => {
  it("are read, or refused by name; what was read is the same run when it is written again", async () => {
    const { refusals } = await withstands({
      inputs: jsonFiles(...TRACES),
      read: readTrace,
      holds: (run) => {
        const again = readTrace(writeTrace(run, { title: run.title, tokens: { eos: run.eos } }));
        expect(again.trajectory.frames.length).toBe(run.trajectory.frames.length);
        expect(again.text).toBe(run.text);
        expect(recordedRun("x", run).trajectory).toEqual(run.trajectory);
      },
    });
    expect(refusals).toEqual(new Set(["trace"]));
  });

  it("also as files that are dropped on the page", async () => {
    await withstands({
      inputs: jsonFiles(...TRACES, `{"elf-playground-shelf":1,"runs":[${TRACES.join(",")}]}`),
      read: (text) => openFile(new Blob([text])),
    });
  });
});

describe("pictures of runs", () => {
  const note = JSON.stringify({
    "elf-playground": 1,
    model: "stories",
    recipe: "run=steps:8,method:sde,gamma:3,selfCondScale:3,schedule:logit_normal,rng:original,seed:7,length:96",
  });
  const text = (letters: string) => Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
  const png = withPngText(
    Buffer.from(
      "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
      "base64",
    ),
    note,
  );
  const blocks = note.match(/.{1,255}/gs)?.map((block) => String.fromCharCode(block.length) + block) ?? [];
  const PICTURES = [
    png,
    text(`GIF89a${"\0".repeat(7)}!\xfe${blocks.join("")}\0;`),
    text(`<svg xmlns="http://www.w3.org/2000/svg"><metadata>${note.replaceAll('"', "&quot;")}</metadata></svg>`),
    text(`\0\0\0\x20ftypisom....${note}....`),
  ];

  it("as they are, say of their run", async () => {
    for (const picture of PICTURES) {
      expect(await openFile(new Blob([picture as Uint8Array<ArrayBuffer>]))).toMatchObject({ model: "stories" });
    }
  });

  it("give a run that can be linked, or are refused by name", async () => {
    const { read, refusals } = await withstands({
      inputs: byteFiles(...PICTURES),
      read: async (bytes) => {
        const opened = await openFile(new Blob([bytes]));
        // A shelf's runs are read one by one.
        return "runs" in opened ? opened.runs.map((read) => read()) : [opened.recipe];
      },
      holds: (found) => expect(found.length).toBeGreaterThan(0),
    });
    expect(read).toBeGreaterThan(0);
    expect(refusals).toContain(new RunFileError("", "").code);
  });
});
