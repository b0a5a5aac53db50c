/** The colours of pictures, which stand alone: no style sheet comes along. They are those of `theme/tokens.css`. */
export type ThemeName = "light" | "dark";

export interface Palette {
  readonly paper: string;
  readonly ink: string;
  readonly inkSoft: string;
  readonly inkFaint: string;
  readonly mist: string;
  readonly line: string;
  readonly flow: string;
  readonly data: string;
}

export const PALETTES: Readonly<Record<ThemeName, Palette>> = {
  light: {
    paper: "#fcfaf6",
    ink: "#1c1917",
    inkSoft: "#574f45",
    inkFaint: "#70675a",
    mist: "#7468ad",
    line: "#e5ddd0",
    flow: "#573bcf",
    data: "#cf6a0c",
  },
  dark: {
    paper: "#141319",
    ink: "#f1ede5",
    inkSoft: "#bbb4a9",
    inkFaint: "#958f9f",
    mist: "#8079b0",
    line: "#302d3b",
    flow: "#a996ff",
    data: "#ffa652",
  },
};

/** As much of `a` as `share` says and the rest of `b`, both `#rrggbb`, as `color-mix(in oklab, …)` mixes them. */
export function mix(a: string, b: string, share: number): string {
  const [first, second] = [toOklab(a), toOklab(b)];
  return fromOklab(first.map((value, i) => value * share + (second[i] ?? 0) * (1 - share)));
}

type Matrix = readonly (readonly [number, number, number])[];

const TO_CONES: Matrix = [
  [0.4122214708, 0.5363325363, 0.0514459929],
  [0.2119034982, 0.6806995451, 0.1073969566],
  [0.0883024619, 0.2817188376, 0.6299787005],
];
const TO_LAB: Matrix = [
  [0.2104542553, 0.793617785, -0.0040720468],
  [1.9779984951, -2.428592205, 0.4505937099],
  [0.0259040371, 0.7827717662, -0.808675766],
];
const FROM_LAB: Matrix = [
  [1, 0.3963377774, 0.2158037573],
  [1, -0.1055613458, -0.0638541728],
  [1, -0.0894841775, -1.291485548],
];
const FROM_CONES: Matrix = [
  [4.0767416621, -3.3077115913, 0.2309699292],
  [-1.2684380046, 2.6097574011, -0.3413193965],
  [-0.0041960863, -0.7034186147, 1.707614701],
];

function toOklab(colour: string): number[] {
  const linear = [1, 3, 5].map((at) => {
    const value = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return times(TO_LAB, times(TO_CONES, linear).map(Math.cbrt));
}

function fromOklab(lab: readonly number[]): string {
  const cones = times(FROM_LAB, lab).map((value) => value ** 3);
  const bytes = times(FROM_CONES, cones).map((value) => {
    const shown = value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055;
    return Math.round(255 * Math.min(1, Math.max(0, shown)));
  });
  return `#${bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

function times(matrix: Matrix, vector: readonly number[]): number[] {
  const [x = 0, y = 0, z = 0] = vector;
  return matrix.map(([a, b, c]) => a * x + b * y + c * z);
}
