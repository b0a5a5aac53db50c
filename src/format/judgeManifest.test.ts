import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseJudgeManifest } from "./judgeManifest";
import { ManifestError, ManifestVersionError } from "./manifest";

const TEXT = readFileSync(new URL("../../models/stories-judge/judge.json", import.meta.url), "utf8");
const changed = (change: object) => JSON.stringify({ ...JSON.parse(TEXT), ...change });

describe("judge.json", () => {
  it("of the judge that ships is read", () => {
    const { name, architecture, realText } = parseJudgeManifest(TEXT);
    expect(name).toBe("stories-judge");
    expect(architecture.maxLength).toBe(96);
    expect(realText.samples.length).toBeGreaterThan(50);
  });

  it.each([
    ["no JSON", "{", "not JSON"],
    ["nothing", "null", "top level"],
    ["a graph outside of its folder", changed({ graph: "../x.onnx" }), "graph"],
    ["no shards", changed({ weights: { dtype: "q8", index: "i", shards: [], bytes: 1 } }), "weights.shards"],
  ])("that is %s is refused by name", (_, text, where) => {
    expect(() => parseJudgeManifest(text)).toThrow(ManifestError);
    expect(() => parseJudgeManifest(text)).toThrow(where);
  });

  it("of one that answers names the graph that reads sources; what is wrong there is named, too", () => {
    const source = { graph: "onnx/reader.onnx", maxLength: 32, before: 0 };
    expect(parseJudgeManifest(changed({ source })).source).toEqual(source);
    expect(parseJudgeManifest(TEXT).source).toBeUndefined();
    for (const wrong of [{ graph: "../x" }, { maxLength: 0 }, { before: -1 }]) {
      const [field = ""] = Object.keys(wrong);
      expect(() => parseJudgeManifest(changed({ source: { ...source, ...wrong } }))).toThrow(`source.${field}`);
    }
  });

  it("of a later version says so", () => {
    expect(() => parseJudgeManifest(changed({ schemaVersion: 2 }))).toThrow(ManifestVersionError);
  });
});
