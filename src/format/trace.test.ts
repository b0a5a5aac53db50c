import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Reading } from "../flow/network";
import type { Prompt } from "../flow/recipe";
import type { Frame } from "../flow/trajectory";
import { parseManifest } from "./manifest";
import { readTrace, TraceError, writeTrace } from "./trace";

const manifest = parseManifest(readFileSync("test/fixtures/tiny-model/manifest.json", "utf8"));

/** Two positions, four kept tokens each. */
function reading(first: number): Reading {
  return {
    tokens: Int32Array.of(first, 9),
    entropy: Float32Array.of(1.23456, 0),
    topTokens: Int32Array.of(first, 3, 4, 5, 9, 6, 7, 8),
    topProbabilities: Float32Array.of(0.504, 0.25, 0.125, 0.1, 1, 0, 0, 0),
  };
}

const start = reading(1);
const frames: Frame[] = [
  { step: 0, t: 0, holds: start, expects: start },
  { step: 1, t: 1, holds: reading(2), expects: reading(10) },
];
const pieces = Array.from({ length: 128 }, (_, id) => `▁p${id}`);
const text = writeTrace(
  { trajectory: { settings: manifest.defaults, model: "tiny-model", times: [0, 1], frames }, pieces, text: "p2 p9" },
  manifest,
);

describe("a recorded run", () => {
  it("comes back as it was, to two decimals and three tokens", () => {
    const run = readTrace(text);
    expect(run.title).toBe("Tiny");
    expect(run.text).toBe("p2 p9");
    expect(run.trajectory.settings).toEqual(manifest.defaults);
    expect(run.trajectory.times).toEqual([0, 1]);
    const last = run.trajectory.frames[1] as Frame;
    expect(last.holds).toEqual({
      tokens: Int32Array.of(2, 9),
      entropy: Float32Array.of(1.23, 0),
      topTokens: Int32Array.of(2, 3, 4, 9, 6, 7),
      topProbabilities: Float32Array.of(0.5, 0.25, 0.13, 1, 0, 0),
    });
    expect(Array.from(last.expects.tokens)).toEqual([10, 9]);
  });

  it("keeps where its positions were, where that is known", () => {
    const holds = Int16Array.of(1000, -1000, 0, 3, 5, 6, 7, 8);
    const paths = { basis: "model", length: 2, holds, expects: holds.map((x) => -x) } as const;
    const trajectory = { settings: manifest.defaults, model: "tiny-model", times: [0, 1], frames, paths };
    const written = writeTrace({ trajectory, pieces, text: "" }, manifest);
    expect(readTrace(written).trajectory.paths).toEqual(paths);
    expect("paths" in readTrace(text).trajectory).toBe(false);
    for (const wrong of [written.replace("[1000,-1000,", "["), written.replace("[1000,", "[1001,")]) {
      expect(() => readTrace(wrong)).toThrow(/wrong at paths/);
    }
  });

  it("expects at frame 0 what it holds", () => {
    const [first] = readTrace(text).trajectory.frames;
    expect(first?.expects).toBe(first?.holds);
  });

  it("keeps the pieces it names, each at its id, and no others", () => {
    const { pieces: kept } = readTrace(text);
    expect(kept[10]).toBe("▁p10");
    expect(kept[9]).toBe("▁p9");
    // The fourth token of a position is dropped.
    expect(kept[5]).toBe("");
    expect(kept).toHaveLength(11);
  });

  it("keeps the prompt, and its pieces where it is numbers", () => {
    const prompted = (prompt: Prompt) => {
      const trajectory = { settings: manifest.defaults, prompt, model: "tiny-model", times: [0, 1], frames };
      return readTrace(writeTrace({ trajectory, pieces, text: "" }, manifest));
    };
    expect(prompted({ text: "garden" }).trajectory.prompt).toEqual({ text: "garden" });
    expect(prompted({ ids: [77] }).trajectory.prompt).toEqual({ ids: [77] });
    expect(prompted({ ids: [77] }).pieces[77]).toBe("▁p77");
    expect("prompt" in readTrace(text).trajectory).toBe(false);
  });

  it("keeps what it holds, which run it continues, and which token ends a text", () => {
    const root = { settings: manifest.defaults, prompt: { ids: [77] } };
    const middle = { settings: { ...manifest.defaults, seed: 9 }, from: { run: root, step: 3 } };
    const held = [{ position: 1, token: 12 }];
    const recipe = { settings: manifest.defaults, held, from: { run: middle, step: 5 } };
    const late = frames.map((frame, i) => ({ ...frame, step: 4 + i }));
    const trajectory = { ...recipe, model: "tiny-model", times: [0, 1], frames: late };
    const run = readTrace(writeTrace({ trajectory, pieces, text: "" }, manifest));
    expect(run.trajectory).toMatchObject(recipe);
    expect(run.pieces[77]).toBe("▁p77");
    expect(run.pieces[12]).toBe("▁p12");
    // Held from step 5 on: before, what the decoder read stands.
    expect(run.trajectory.frames.map(({ holds }) => holds.tokens[1])).toEqual([9, 12]);
    expect(run.eos).toBe(manifest.tokens.eos);
  });

  it("that starts between two seeds or from the noise of a text, has γ over t, or goes on from such a one, is of a version that older readers refuse", () => {
    const towards = { seed: 9, weight: 0.25 };
    const root = { settings: manifest.defaults, towards };
    const back = { settings: manifest.defaults, back: { ids: [5, 9] } };
    for (const recipe of [root, back, { settings: manifest.defaults, from: { run: root, step: 1 } }]) {
      const trajectory = { ...recipe, model: "tiny-model", times: [0, 1], frames };
      const written = writeTrace({ trajectory, pieces, text: "" }, manifest);
      expect(JSON.parse(written).version).toBe(3);
      expect(readTrace(written).trajectory).toMatchObject(recipe);
    }
    const curved = { ...manifest.defaults, gammaCurve: [[0.5, 2]] as const };
    const trajectory = { settings: curved, model: "tiny-model", times: [0, 1], frames };
    const written = writeTrace({ trajectory, pieces, text: "" }, manifest);
    expect(JSON.parse(written).version).toBe(3);
    expect(readTrace(written).trajectory.settings).toEqual(curved);
    expect(JSON.parse(text).version).toBe(2);
  });

  it("of version 1 is read, its end by its spelling", () => {
    const { eos, ...rest } = JSON.parse(text) as Record<string, unknown> & { pieces: Record<string, string> };
    const old = { ...rest, version: 1 };
    expect(readTrace(JSON.stringify(old)).eos).toBeNull();
    const named = readTrace(JSON.stringify({ ...old, pieces: { ...rest.pieces, 1: "</s>" } }));
    expect(named.eos).toBe(1);
    expect(named.trajectory.frames).toHaveLength(2);
  });

  it.each([
    ["not JSON", "<!doctype html>"],
    ["another version", text.replace('"version":2', '"version":4')],
    ["held where nothing is", text.replace('"eos"', '"held":[{"position":-1,"token":3}],"eos"')],
    ["forked from nothing", text.replace('"eos"', '"from":{"step":2},"eos"')],
    ["without frames", text.replace(/"frames":\[[\s\S]*\]\}/, '"frames":[]}')],
  ])("is refused by name when it is %s", (_, broken) => {
    expect(() => readTrace(broken)).toThrow(TraceError);
  });
});

/** What of a trace file is changed below. */
interface TraceText {
  version: number;
  eos: number;
  settings: object;
  times: number[];
  pieces: Record<string, string>;
  frames: { holds: { entropy: number[]; top: unknown[] } }[];
}

describe("a trace from a stranger", () => {
  const changed = (change: (trace: TraceText) => void) => {
    const trace = JSON.parse(text) as TraceText;
    change(trace);
    return JSON.stringify(trace);
  };

  it.each<[string, (trace: TraceText) => unknown, RegExp]>([
    ["of a later version", (trace) => Object.assign(trace, { version: 99 }), /version/],
    ["whose token would take gigabytes", (trace) => Object.assign(trace.pieces, { 4294967294: "x" }), /pieces/],
    ["whose token is beyond all vocabularies", (trace) => Object.assign(trace.pieces, { 9999999: "x" }), /pieces/],
    ["that names a token beyond all vocabularies", (trace) => Object.assign(trace, { eos: 2 ** 40 }), /eos/],
    [
      "of a length that no model writes",
      ({ settings }) => Object.assign(settings, { length: 90_000_000 }),
      /settings\.length/,
    ],
    [
      "that goes on from a run of such a length",
      (trace) =>
        Object.assign(trace, { from: { run: { settings: { ...trace.settings, length: 2 ** 16 + 1 } }, step: 0 } }),
      /from\.run\.settings\.length/,
    ],
    ["with more frames than times", (trace) => trace.times.pop(), /more frames than times/],
    ["whose positions have no entropies", (trace) => trace.frames[1]?.holds.entropy.pop(), /entropy/],
    [
      "whose positions differ from frame to frame",
      ({ frames }) => [frames[1]?.holds.entropy.pop(), frames[1]?.holds.top.pop()],
      /as many positions/,
    ],
  ])("%s is refused by name", (_, change, words) => {
    expect(() => readTrace(changed(change))).toThrow(TraceError);
    expect(() => readTrace(changed(change))).toThrow(words);
  });

  it("that goes on from more runs than there may be is refused by name", () => {
    const settings = JSON.stringify(JSON.parse(text).settings);
    const chain = (links: number) =>
      `${`"from":{"run":{"settings":${settings},`.repeat(links)}"held":[]${'},"step":0}'.repeat(links)}`;
    const forked = (links: number) => text.replace('"eos"', () => `${chain(links)},"eos"`);
    expect(readTrace(forked(63)).trajectory.from).toBeDefined();
    for (const links of [64, 5000]) {
      expect(() => readTrace(forked(links))).toThrow(TraceError);
      expect(() => readTrace(forked(links))).toThrow("goes back over more than 63 others");
    }
  });
});
