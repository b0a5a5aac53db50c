/** How likely a text is under a judge, against how varied it is: this run's among others, and real texts behind them. */
import { scaleLinear, scaleLog } from "d3-scale";
import { PALETTES } from "../export/colours";
import type { Dot, Line } from "../export/drawing";
import type { Judged, TextQuality } from "./judged";
import { LABEL, labelLine, STRONG_LABEL } from "./label";
import type { Lens, LensInput } from "./lens";

const HEIGHT = 300;
/** Pixels for the numbers at the left and below. */
const LEFT = 34;
const BELOW = 38;
const TOP = 8;
const RADIUS = 4;
/** How near a point has to be pressed. */
const REACH = 24;
const TICKS = [1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 100_000];

export const quality: Lens = {
  id: "quality",
  isThere: ({ judged }) => judged !== undefined && judged.runs.length > 0,

  draw: (input) => {
    const { run, width, theme, measure, words } = input;
    const colours = PALETTES[theme];
    const { runs, real } = judgedOf(input);
    const all = [...runs, ...real.samples, real];
    const [least, most] = [Math.min, Math.max].map((pick) => pick(...all.map(({ perplexity }) => perplexity))) as [
      number,
      number,
    ];
    const entropies = all.map(({ entropy }) => entropy);
    const x = scaleLinear([Math.min(...entropies), Math.max(...entropies)], [LEFT, width - 10]).nice(5);
    const foot = TOP + HEIGHT;
    const y = scaleLog([Math.max(1, least * 0.9), most * 1.1], [foot, TOP]);
    const lines: Line[] = [];
    const say = (
      text: string,
      at: (own: number) => number,
      feet: number,
      isStrong = false,
      colour = colours.inkFaint,
    ) => lines.push(labelLine({ text, colour, x: at, y: feet, type: isStrong ? STRONG_LABEL : LABEL }, measure));
    const [low, high] = y.domain() as [number, number];
    const shown = TICKS.filter((tick) => tick >= low && tick <= high);
    for (const tick of shown) say(words.number(tick, 0), (own) => LEFT - 6 - own, y(tick) + 4);
    for (const tick of x.ticks(Math.max(2, Math.floor(width / 90)))) {
      say(words.number(tick, 1), (own) => Math.min(width - own, x(tick) - own / 2), foot + 14);
    }
    say(words.quality.varied, (own) => width - own, foot + 30);
    say(words.quality.surprising, () => LEFT + 6, TOP + 10);

    const dots: Dot[] = real.samples.map((each) => dotOf(each, 2, colours.line));
    for (const each of runs) dots.push(dotOf(each, RADIUS, each.id === run.id ? colours.data : colours.flow));
    const middle = { x: x(real.entropy), y: y(real.perplexity) };
    say(words.quality.real, (own) => Math.min(width - own, Math.max(LEFT, middle.x + 9)), middle.y - 7, true);
    const own = runs.find(({ id }) => id === run.id);
    if (own) {
      const text = words.number(own.perplexity, 1);
      const place = (wide: number) =>
        x(own.entropy) + 9 + wide > width ? x(own.entropy) - 9 - wide : x(own.entropy) + 9;
      say(text, place, y(own.perplexity) + 4, true, colours.ink);
    }

    return {
      width,
      height: foot + BELOW,
      rectangles: [
        ...shown.map((tick) => ({ x: LEFT, y: y(tick), width: width - LEFT, height: 1, colour: colours.line })),
        // A cross, as no text of its own.
        { x: middle.x - 7, y: middle.y - 1, width: 15, height: 2, colour: colours.inkSoft },
        { x: middle.x - 0.5, y: middle.y - 7, width: 2, height: 14, colour: colours.inkSoft },
      ],
      dots,
      lines,
      text: own
        ? words.quality.said(words.number(own.perplexity, 1), words.number(own.entropy), ...realFigures(input))
        : words.quality.realSaid(...realFigures(input)),
      at: (px, py) => {
        const far = ({ entropy, perplexity }: TextQuality) => Math.hypot(x(entropy) - px, y(perplexity) - py);
        const [nearest] = [...runs].sort((a, b) => far(a) - far(b));
        return nearest && far(nearest) <= REACH ? { run: nearest.id } : null;
      },
      mark: () => [],
    };

    function dotOf({ entropy, perplexity }: TextQuality, radius: number, colour: string): Dot {
      return { x: x(entropy), y: y(perplexity), radius, colour };
    }
  },

  table: (input) => {
    const { words } = input;
    const { runs, real } = judgedOf(input);
    const row = (label: string, { perplexity, entropy }: TextQuality) => [
      label,
      words.number(perplexity, 1),
      words.number(entropy),
    ];
    return {
      heads: [words.quality.text, words.quality.perplexity, words.quality.entropy],
      rows: [
        ...runs.map((each) => row(each.id === input.run.id ? words.quality.shown(each.label) : each.label, each)),
        row(words.quality.real, real),
      ],
    };
  },
};

function judgedOf({ judged }: LensInput): Judged {
  if (!judged) throw new RangeError("Nothing has been judged.");
  return judged;
}

function realFigures({ words, judged }: LensInput): [string, string] {
  return [words.number(judged?.real.perplexity ?? 0, 1), words.number(judged?.real.entropy ?? 0)];
}
