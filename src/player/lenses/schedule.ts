/** Where a run's steps stand in time, how long they are, and what noise they mix in. */
import { scaleLinear } from "d3-scale";
import { gammaAt } from "../../flow/gammaCurve";
import { branchAt } from "../../flow/recipe";
import type { LogitNormal } from "../../flow/schedule";
import { keptShare } from "../../flow/solvers";
import { PALETTES } from "../export/colours";
import type { Curve, Line, Rectangle } from "../export/drawing";
import type { ShownRun } from "../run/run";
import { stepsOf } from "../run/run";
import { labelLine } from "./label";
import type { Lens } from "./lens";

/** One step of a run, from a time to the next. */
export interface StepFigures {
  readonly from: number;
  readonly to: number;
  /** Share of the state that it keeps before fresh noise is mixed in; 1 where none is. */
  readonly kept: number;
}

const LABELS = 18;
const DENSITY = 70;
const LENGTHS = 90;
const KEPT = 70;
/** Points of the curve of the density. */
const POINTS = 120;
const EARLY = 0.4;

export const schedule: Lens = {
  id: "schedule",

  draw: (input) => {
    const { run, width, theme, words, measure, logitNormal } = input;
    const colours = PALETTES[theme];
    const steps = stepFigures(run);
    const x = scaleLinear([0, 1], [0, width]);
    const rectangles: Rectangle[] = [];
    const curves: Curve[] = [];
    const lines: Line[] = [];
    const say = (text: string, y: number, middle?: number) => {
      const place = (own: number) => (middle === undefined ? 0 : Math.min(width - own, Math.max(0, middle - own / 2)));
      lines.push(labelLine({ text, colour: colours.inkFaint, x: place, y }, measure));
    };
    let top = 0;

    if (logitNormal) {
      say(words.schedule.density, top + 12);
      top += LABELS;
      curves.push({ points: densityCurve(logitNormal, width, top), colour: colours.flow, width: 1.5 });
      top += DENSITY;
    }
    for (const { from } of steps) rectangles.push({ x: x(from), y: top, width: 1, height: 8, colour: colours.flow });
    rectangles.push({ x: 0, y: top + 8, width, height: 1, colour: colours.line });
    for (const t of x.ticks(Math.max(2, Math.floor(width / 90)))) {
      const text = t === 0 ? `${words.time} = 0` : words.number(t, 1);
      say(text, top + 22, x(t));
    }
    top += 34;

    say(words.schedule.length, top + 12);
    top += LABELS;
    const longest = Math.max(...steps.map(({ from, to }) => to - from));
    for (const { from, to } of steps) {
      const height = (LENGTHS * (to - from)) / longest;
      const own = Math.max(1, x(to) - x(from) - 1);
      rectangles.push({ x: x(from), y: top + LENGTHS - height, width: own, height, colour: colours.mist });
    }
    top += LENGTHS + 10;

    const hasNoise = steps.some(({ kept }) => kept < 1);
    if (hasNoise) {
      say(words.schedule.kept, top + 12);
      top += LABELS;
      for (const { from, to, kept } of steps) {
        const own = Math.max(1, x(to) - x(from) - 1);
        rectangles.push({ x: x(from), y: top, width: own, height: KEPT * (1 - kept), colour: colours.data });
        rectangles.push({
          x: x(from),
          y: top + KEPT * (1 - kept),
          width: own,
          height: KEPT * kept,
          colour: colours.flow,
        });
      }
      top += KEPT + 4;
    }
    const height = top;
    const early = steps.filter(({ from }) => from < EARLY).length;
    const least = Math.min(...steps.map(({ kept }) => kept));
    return {
      width,
      height,
      rectangles,
      curves,
      lines,
      text: words.schedule.said(steps.length, early) + (hasNoise ? words.schedule.keptSaid(least) : ""),
      at: (at, y) => {
        if (at < 0 || at > width || y < 0 || y > height) return null;
        const t = x.invert(at);
        const index = steps.findLastIndex(({ from }) => from <= t);
        return { index: Math.max(0, index) };
      },
      mark: (index) => {
        const t = run.trajectory.times[index] ?? 0;
        return [{ x: Math.min(width - 2, x(t)), y: 0, width: 2, height, colour: colours.ink }];
      },
    };
  },

  table: ({ run, words }) => ({
    heads: [words.step, words.time, words.schedule.length, words.schedule.kept],
    rows: stepFigures(run).map(({ from, to, kept }, index) => [
      `${index + 1}`,
      words.number(from, 3),
      words.number(to - from, 3),
      words.percent(kept),
    ]),
  }),
};

/** Every step of a run, those before its forks by the settings of the run that wrote them. */
export function stepFigures(run: ShownRun): StepFigures[] {
  const { trajectory } = run;
  const { times } = trajectory;
  return Array.from({ length: stepsOf(run) }, (_, index) => {
    const { settings } = branchAt(trajectory, index).run;
    const [from, to] = [times[index] as number, times[index + 1] as number];
    // The last step of a run mixes none in, whatever number its own schedule gives it.
    const isLast = index === times.length - 2;
    const isNoisy = settings.method === "sde" && !isLast;
    return { from, to, kept: isNoisy ? keptShare(gammaAt(settings, from), from, to) : 1 };
  });
}

function densityCurve({ pMean, pStd }: LogitNormal, width: number, top: number): Curve["points"] {
  const at = (t: number) => {
    const z = (Math.log(t / (1 - t)) - pMean) / pStd;
    return Math.exp(-(z * z) / 2) / (t * (1 - t));
  };
  const ts = Array.from({ length: POINTS }, (_, i) => (i + 0.5) / POINTS);
  const most = Math.max(...ts.map(at));
  return ts.map((t) => [t * width, top + DENSITY * (1 - at(t) / most)] as const);
}
