import { describe, expect, it } from "vitest";
import { keptShare } from "../../flow/solvers";
import type { Frame } from "../../flow/trajectory";
import { PALETTES } from "../export/colours";
import { svgOf } from "../export/svg";
import { estimateWidth } from "../export/typography";
import type { ShownRun } from "../run/run";
import { settlingOf } from "../run/settling";
import { pathsOfLength, readingOf, SETTINGS, shownRunOf } from "../testing/runs";
import { certainty } from "./certainty";
import type { Judged } from "./judged";
import type { LensInput, LensPlace } from "./lens";
import { numbers, numbersOf } from "./numbers";
import { paths, wordsOnTheWay } from "./paths";
import { quality } from "./quality";
import { schedule, stepFigures } from "./schedule";
import { ENGLISH_LENSES } from "./words";

const FRAMES = ["▁sat ▁sat s ▁sat </s>", "▁the ▁cat s ▁sat </s>", "▁sat ▁cat . ▁sat </s>", "▁the ▁cat s </s> </s>"];
const run = shownRunOf(FRAMES);

const inputOf = (change: Partial<LensInput> = {}): LensInput => ({
  run,
  reading: "holds",
  width: 600,
  theme: "light",
  measure: estimateWidth,
  words: ENGLISH_LENSES,
  ...change,
});

function stepOf(place: LensPlace | null): number | undefined {
  return place && "index" in place ? place.index : undefined;
}

/** As `run`, every token as open as these nats say at each step. */
function withEntropy(nats: readonly number[]): ShownRun {
  const frames = run.trajectory.frames.map((frame, step) => {
    const holds = { ...frame.holds, entropy: new Float32Array(5).fill(nats[step] ?? 0) };
    return { ...frame, holds, expects: holds };
  });
  return { ...run, trajectory: { ...run.trajectory, frames } };
}

describe("certainty", () => {
  it("marks no step where a text has no words, and says so", () => {
    const empty = shownRunOf(["▁sat ▁cat", "</s> ▁cat", "</s> ▁sat"]);
    const { rectangles, curves, text } = certainty.draw(inputOf({ run: empty }));
    expect(Math.min(...rectangles.map(({ x }) => x))).toBe(92);
    expect(curves).toEqual([]);
    expect(text).toBe("The text has no words that could settle.");
  });

  it("has a row for each token up to the end and a column for each step, and finds them again", () => {
    const drawing = certainty.draw(inputOf());
    const [band, axis] = [10, 22];
    expect(drawing.height).toBe(4 * 14 + band + axis);
    const column = (600 - 92) / 4;
    expect(drawing.at(92 + 2.5 * column, 1.5 * 14)).toEqual({ index: 2, position: 1 });
    expect([drawing.at(91, 5), drawing.at(300, 4 * 14 + 1), drawing.at(601, 5), drawing.at(100, -1)]).toEqual([
      null,
      null,
      null,
      null,
    ]);
    const [at] = drawing.mark(2, null);
    expect(at).toMatchObject({ x: 92 + 2 * column, y: 0, width: column });
    expect(drawing.mark(2, 1)).toHaveLength(8);
    // A token that is behind the end here has no row.
    expect(drawing.mark(2, 4)).toHaveLength(4);
  });

  it("shows when the words of many runs settle under its own band, and says so", () => {
    const phases = { wordsByFrame: [0, 30, 70, 100], words: 100, runs: 20 };
    const own = certainty.draw(inputOf());
    const many = certainty.draw(inputOf({ phases }));
    expect(many.height).toBe(own.height + 10);
    expect(many.text).toBe(`${own.text} Of 20 runs like it the middle half in steps 1 to 3 (violet).`);
    const column = (600 - 92) / 4;
    expect(many.rectangles.at(-1)).toMatchObject({ x: 92 + column, width: 3 * column, colour: PALETTES.light.flow });
  });

  it("is violet where a token is open, paper where it is decided, and marks what has changed", () => {
    const { paper, flow, data } = PALETTES.light;
    const colours = (shown: ShownRun) => certainty.draw(inputOf({ run: shown })).rectangles.map(({ colour }) => colour);
    const open = colours(withEntropy([9, 9, 0, 0]));
    expect(open.filter((colour) => colour === flow)).toHaveLength(2 * 4);
    expect(open.filter((colour) => colour === paper)).toHaveLength(2 * 4);
    // "▁sat" → "▁the", "▁sat" → "▁cat"; then "▁the" → "▁sat", "s" → "."; then three of four.
    // And the band under them.
    expect(open.filter((colour) => colour === data)).toHaveLength(2 + 2 + 3 + 1);
  });

  it("says when words settle, and of an unfinished run that it cannot be known", () => {
    expect(certainty.draw(inputOf()).text).toBe(
      "Of 2 words half have settled by step 3, and the last settles at step 3. The middle half of them settles at step 3.",
    );
    const unfinished = certainty.draw(inputOf({ run: { ...run, status: "cancelled" } }));
    expect(unfinished.text).toContain("known when the run is complete");
    expect(unfinished.curves).toEqual([]);
  });

  it("shows under the map the steps in which the middle half of the words settles", () => {
    const frames = ["▁a ▁b ▁c ▁d", "▁the ▁b ▁c ▁d", "▁the ▁cat ▁c ▁d", "▁the ▁cat ▁sat ▁d", "▁the ▁cat ▁sat ▁the"];
    const drawing = certainty.draw(inputOf({ run: shownRunOf(frames), width: 92 + 500 }));
    expect(drawing.text).toContain("The middle half of them settles in steps 1 to 3.");
    expect(drawing.rectangles.at(-1)).toMatchObject({ x: 92 + 100, width: 300, colour: PALETTES.light.data });
  });

  it("keeps the room of the steps that are still to come", () => {
    const short = { ...run.trajectory, frames: run.trajectory.frames.slice(0, 2) };
    const drawing = certainty.draw(inputOf({ run: { ...run, status: "running", trajectory: short } }));
    expect(drawing.at(92 + 1.5 * (508 / 4), 5)).toEqual({ index: 1, position: 0 });
    expect(drawing.at(92 + 2.5 * (508 / 4), 5)).toBeNull();
  });

  it("keeps the room of steps that were passed and not read", () => {
    const [first, ...later] = run.trajectory.frames;
    const frames = [first, first, ...later.slice(1)] as typeof run.trajectory.frames;
    const { rectangles } = certainty.draw(inputOf({ run: { ...run, trajectory: { ...run.trajectory, frames } } }));
    const columns = new Set(rectangles.slice(1).map(({ x }) => Math.floor((x - 92) / (508 / 4))));
    expect([...columns]).toEqual([0, 2, 3]);
  });

  it("is as tall as a page allows however long the text, and gives the words no room where it is narrow", () => {
    const long = shownRunOf([Array(1024).fill("▁cat").join(" "), Array(1024).fill("▁the").join(" ")]);
    const drawing = certainty.draw(inputOf({ run: long, width: 320 }));
    expect(drawing.height).toBeLessThan(560);
    expect(drawing.at(0, 519.9)).toEqual({ index: 0, position: 1023 });
    // Three positions of half a pixel in a cell, each of which has changed, and no cell beyond the last.
    const cells = Math.ceil(1024 / 3);
    expect(drawing.rectangles.length).toBeLessThan(3 * cells + 10);
    const lowest = Math.max(...drawing.rectangles.slice(1, 3 * cells).map(({ y, height }) => y + height));
    expect(lowest).toBeCloseTo(520, 3);
  });

  it("of a long text shows a cell as its positions are on average, and changed where one is", () => {
    const long = shownRunOf([Array(1024).fill("▁cat").join(" "), `▁the ${Array(1023).fill("▁cat").join(" ")}`]);
    const [first, last] = long.trajectory.frames as [Frame, Frame];
    const entropy = Float32Array.from(first.holds.entropy, (_, position) => (position === 1 ? 9 : 0));
    const reading = { ...first.holds, entropy };
    const open = {
      ...long,
      trajectory: { ...long.trajectory, frames: [{ ...first, holds: reading, expects: reading }, last] },
    };
    const { rectangles } = certainty.draw(inputOf({ run: open, width: 320 }));
    const coloursAt = (place: number) =>
      rectangles
        .slice(1)
        .filter(({ y }) => Math.round(y / (3 * (520 / 1024))) === place)
        .map(({ colour }) => colour);
    const [mixed, ...later] = coloursAt(0);
    const [sure] = coloursAt(1);
    expect(mixed).not.toBe(sure);
    expect(later).toContain(PALETTES.light.data);
    expect(coloursAt(1)).not.toContain(PALETTES.light.data);
  });

  it("is a table of its tokens, too", () => {
    expect(certainty.table(inputOf())).toEqual({
      heads: ["position", "word", "settled at step", "changes", "nats at the end"],
      rows: [
        ["1", "the", "3", "3", "0.00"],
        ["2", "cat", "1", "1", "0.00"],
        ["3", "s", "3", "2", "0.00"],
        ["4", "end of text", "3", "1", "0.00"],
      ],
    });
    expect(settlingOf(run, "holds")?.at.slice(0, 3)).toEqual(Int32Array.of(3, 1, 3));
  });
});

describe("schedule", () => {
  const times = [0, 0.1, 0.4, 1];
  const noisy = { ...run, trajectory: { ...run.trajectory, times, settings: { ...SETTINGS, gamma: 2 } } };

  it("tells of every step what it keeps, as the sampler does: all in the last, and in an ODE", () => {
    expect(stepFigures(noisy)).toEqual([
      { from: 0, to: 0.1, kept: keptShare(2, 0, 0.1) },
      { from: 0.1, to: 0.4, kept: keptShare(2, 0.1, 0.4) },
      { from: 0.4, to: 1, kept: 1 },
    ]);
    const straight = { ...noisy.trajectory, settings: { ...SETTINGS, method: "ode" as const, gamma: 2 } };
    expect(stepFigures({ ...noisy, trajectory: straight }).map(({ kept }) => kept)).toEqual([1, 1, 1]);
  });

  it("takes the steps before a fork from the run that wrote them", () => {
    const parent = { settings: { ...SETTINGS, gamma: 1 } };
    const fork = { ...noisy.trajectory, from: { run: parent, step: 1 } };
    const kept = stepFigures({ ...noisy, trajectory: fork }).map((step) => step.kept);
    expect(kept).toEqual([keptShare(1, 0, 0.1), keptShare(2, 0.1, 0.4), 1]);
  });

  it("finds the step that a time belongs to, and stands where the run is", () => {
    const drawing = schedule.draw(inputOf({ run: noisy, width: 1000 }));
    expect([5, 99, 101, 399, 401, 1000].map((x) => drawing.at(x, 50)).map(stepOf)).toEqual([0, 0, 1, 1, 2, 2]);
    expect(drawing.at(-1, 50)).toBeNull();
    expect(drawing.mark(2, null)).toMatchObject([{ x: 400 }]);
    expect(drawing.text).toBe(
      "Of 3 steps 2 begin before t = 0.4. Where most noise is mixed in, 40 % of the state is kept.",
    );
  });

  it("draws the density where it is known, and no noise where there is none", () => {
    const known = schedule.draw(inputOf({ run: noisy, logitNormal: { pMean: -1.5, pStd: 0.8 } }));
    const [density] = known.curves ?? [];
    const [peak] = [...(density?.points ?? [])].sort(([, a], [, b]) => a - b);
    // The mode of sigmoid(N(−1.5, 0.8²)), by hand from its derivative: about 0.12.
    expect((peak?.[0] ?? 0) / 600).toBeCloseTo(0.12, 1);
    const ode = { ...noisy.trajectory, settings: { ...SETTINGS, method: "ode" as const } };
    const straight = schedule.draw(inputOf({ run: { ...noisy, trajectory: ode } }));
    expect(straight.height).toBeLessThan(known.height);
    expect(straight.text).not.toContain("noise");
  });

  it("is a table of its steps, too", () => {
    expect(schedule.table(inputOf({ run: noisy })).rows[1]).toEqual(["2", "0.100", "0.300", "40 %"]);
  });
});

describe("numbers", () => {
  it("are those of the text up to its end", () => {
    const open = withEntropy([4, 3, 2, 0.05]);
    const all = numbersOf(open, "holds");
    expect(all.map(({ meanEntropy }) => Math.fround(meanEntropy))).toEqual([4, 3, 2, 0.05].map(Math.fround));
    expect(all.map(({ decided }) => decided)).toEqual([0, 0, 0, 1]);
    expect(all.map(({ settled }) => settled)).toEqual([0, 0, 0, 1]);
    // "sat sats sat"
    expect(all[0]).toMatchObject({ words: 3, distinct: [2 / 3, 1, 1], adjacent: 0 });
    expect(numbersOf({ ...open, status: "cancelled" }, "holds")[0]?.settled).toBeNull();
  });

  it("are none of a step that was not read", () => {
    const [first, ...later] = run.trajectory.frames;
    const frames = [first, first, ...later.slice(1)] as typeof run.trajectory.frames;
    const paced = { ...run, trajectory: { ...run.trajectory, frames } };
    expect(numbersOf(paced, "holds").map(({ step }) => step)).toEqual([0, 2, 3]);
    expect(numbers.table(inputOf({ run: paced })).rows.map(([step]) => step)).toEqual(["0", "2", "3"]);
    // A press between leads to the step that is nearest, read or not.
    const drawing = numbers.draw(inputOf({ run: paced }));
    expect(drawing.at(drawing.width / 3, 30)).toEqual({ index: 1 });
  });

  it("of a long run are a curve through some of its steps, the last among them, and a table of all", () => {
    const long = shownRunOf(Array.from({ length: 257 }, (_, step) => (step % 2 ? "▁cat" : "▁the")));
    expect(numbersOf(long, "holds")).toHaveLength(257);
    const some = numbersOf(long, "holds", 96).map(({ step }) => step);
    expect([some.length, some.at(-1), some.at(-2)]).toEqual([86, 256, 253]);
    const [curve] = numbers.draw(inputOf({ run: long })).curves ?? [];
    expect(curve?.points).toHaveLength(86);
    expect(numbers.table(inputOf({ run: long })).rows).toHaveLength(257);
  });

  it("have a curve each, and find their step", () => {
    const drawing = numbers.draw(inputOf());
    expect(drawing.curves).toHaveLength(3);
    expect([0, 99, 101, 600].map((x) => drawing.at(x, 100)).map(stepOf)).toEqual([0, 0, 1, 3]);
    expect(numbers.draw(inputOf({ run: { ...run, status: "failed" } })).curves).toHaveLength(2);
  });

  it("are a table of their steps, too", () => {
    const { heads, rows } = numbers.table(inputOf());
    expect(rows.map((row) => row.length)).toEqual([1, 1, 1, 1].map(() => heads.length));
    expect(rows[3]?.[0]).toBe("3");
  });
});

it.each([certainty, schedule, numbers])("a lens of a run of one frame is drawn as well", (lens) => {
  const one = shownRunOf(["▁the"]);
  const running = { ...one, status: "running" as const, trajectory: { ...one.trajectory, times: [0, 0.5, 1] } };
  const { width, height, rectangles, curves, lines, text } = lens.draw(inputOf({ run: running }));
  const file = svgOf({ width, height, rectangles, curves: curves ?? [], lines, title: "", text, note: "" });
  expect(file).not.toMatch(/NaN|undefined|Infinity/);
  expect(
    lens
      .table(inputOf({ run: running }))
      .rows.flat()
      .join(" "),
  ).not.toMatch(/NaN|undefined/);
  expect(readingOf("▁the").tokens).toHaveLength(1);
});

describe("quality", () => {
  const judged: Judged = {
    runs: [
      { id: run.id, label: "the cat sat", entropy: 2, perplexity: 10 },
      { id: "other", label: "a dog", entropy: 3, perplexity: 100 },
    ],
    real: { entropy: 2.5, perplexity: 12, samples: [{ entropy: 2.4, perplexity: 8 }] },
  };

  it("is there once something has been judged", () => {
    expect(quality.isThere?.(inputOf())).toBe(false);
    expect(quality.isThere?.(inputOf({ judged: { ...judged, runs: [] } }))).toBe(false);
    expect(quality.isThere?.(inputOf({ judged }))).toBe(true);
  });

  it("has a point for each run, more surprising ones above and more varied ones to the right, and finds them again", () => {
    const { dots = [], at } = quality.draw(inputOf({ judged }));
    expect(dots).toHaveLength(3);
    const [sample, own, other] = dots;
    if (!sample || !own || !other) throw new Error("There are three points.");
    expect(own.x < sample.x && sample.x < other.x).toBe(true);
    expect(other.y < own.y && own.y < sample.y).toBe(true);
    expect([own.colour, other.colour]).toEqual([PALETTES.light.data, PALETTES.light.flow]);
    expect(at(other.x + 2, other.y - 3)).toEqual({ run: "other" });
    expect(at(own.x, own.y)).toEqual({ run: run.id });
    expect(at(other.x, own.y)).toBeNull();
  });

  it("says the figures of the run that is shown beside those of real text, and of one that has none the latter alone", () => {
    expect(quality.draw(inputOf({ judged })).text).toBe(
      "Perplexity 10.0, entropy 2.00 nats; real text has 12.0 and 2.50.",
    );
    const others = { ...judged, runs: judged.runs.slice(1) };
    expect(quality.draw(inputOf({ judged: others })).text).toContain("Real text has a perplexity of 12.0");
    expect(quality.table(inputOf({ judged })).rows).toEqual([
      ["the cat sat (shown)", "10.0", "2.00"],
      ["a dog", "100.0", "3.00"],
      ["real text", "12.0", "2.50"],
    ]);
  });

  it("is drawn of one text that is as real text is, however narrow", () => {
    const same = { entropy: 2, perplexity: 12 };
    const one: Judged = { runs: [{ ...same, id: run.id, label: "x" }], real: { ...same, samples: [] } };
    const { dots = [], lines, rectangles } = quality.draw(inputOf({ judged: one, width: 320 }));
    expect(JSON.stringify([dots, lines, rectangles])).not.toMatch(/null|NaN/);
  });
});

describe("paths", () => {
  const { trajectory } = run;
  const walked: ShownRun = { ...run, trajectory: { ...trajectory, paths: pathsOfLength(4, 5) } };
  const at = (index: number, position: number | null = null) => inputOf({ run: walked, place: { index, position } });

  it("are there for a run that has a place for every frame, and for no other", () => {
    const cut: ShownRun = { ...walked, trajectory: { ...trajectory, paths: pathsOfLength(3, 5) } };
    expect([run, walked, cut].map((run) => paths.isThere?.(inputOf({ run })))).toEqual([false, true, false]);
  });

  it("have a point for each token up to the end, at its place, and behind it the way so far", () => {
    const { dots = [], curves = [], text } = paths.draw(at(2));
    // The text ends with the fourth token.
    expect(dots).toHaveLength(4);
    // A picture of 600 × 440, of which 420 are high enough for what goes from −0.3 to 0.3 both ways: 0.1 is 70.
    // The token is at (0.2, 0.1 · position).
    expect(dots.map(({ x }) => x)).toEqual(Array.from({ length: 4 }, () => expect.closeTo(300 + 140, 3)));
    expect(dots.map(({ y }) => y)).toEqual([0, 1, 2, 3].map((row) => expect.closeTo(220 - 70 * row, 3)));
    expect(curves.map(({ points }) => points.length)).toEqual([3, 3, 3, 3]);
    expect(text).toBe("Step 2 of 3, t = 0.67: 4 of 4 tokens are as good as decided.");
    expect(paths.draw({ ...at(2), reading: "expects" }).dots?.[0]?.x).toBeCloseTo(300 - 140, 3);
  });

  it("follow one position: its whole way, the words it read, and the frame that is pressed on it", () => {
    const { curves = [], lines, text, at: pressed } = paths.draw(at(3, 0));
    expect(curves.slice(-2).map(({ points, isDashed }) => [points.length, isDashed ?? false])).toEqual([
      [4, false],
      [1, true],
    ]);
    expect(text).toContain("Position 1 reads, one after the other: sat, the, sat, the.");
    expect(JSON.stringify(lines)).toContain("sat 0.00");
    expect(pressed(300 + 70, 220)).toEqual({ index: 1, position: 0 });
    expect(pressed(300 + 210, 220 - 140)).toEqual({ index: 3, position: 2 });
    expect(pressed(5, 5)).toBeNull();
    expect(wordsOnTheWay(walked, "holds", 2).map(({ step }) => step)).toEqual([0, 2, 3]);
  });

  it("as a table have all tokens at the time shown, or the way of the one that is followed", () => {
    const all = paths.table(at(1));
    expect(all.rows).toHaveLength(4);
    expect(all.rows[1]).toEqual(["2", "cat", "0.00", "0.10", "0.10"]);
    const one = paths.table(at(1, 1));
    expect(one.rows).toHaveLength(4);
    expect(one.rows[3]).toEqual(["3", "1.00", "cat", "–", "0.00", "0.30", "0.10"]);
  });
});
