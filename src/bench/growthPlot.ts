/** How time grows with each of several things, as one picture: multiples of the smallest, on scales of powers. */
import { scaleLog } from "d3-scale";

/** By what grows: sizes with the seconds that they took, and the exponent a of seconds ∝ sizeᵃ. */
export type Growth = Readonly<
  Record<string, { readonly points: readonly (readonly [size: number, seconds: number])[]; readonly exponent: number }>
>;

const WIDTH = 720;
const HEIGHT = 420;
const EDGE = { left: 56, right: 190, top: 20, bottom: 46 };
/** Told apart by everyone (Okabe and Ito's), and by their signs. */
const COLOURS = ["#5b3fd6", "#d55e00", "#009e73", "#0072b2", "#cc79a7"];
const SIGNS = ["●", "■", "▲", "◆", "✚"];
const TICKS = [1, 10, 100, 1000];

/** An SVG. Every line begins at 1, 1; a dotted one grows as what it is drawn against. */
export function growthPlot(growth: Growth): string {
  const series = Object.entries(growth).map(([name, { points, exponent }]) => {
    const [x0, t0] = points[0] ?? [1, 1];
    return { name, exponent, points: points.map(([x, t]) => [x / x0, t / t0] as const) };
  });
  const most = Math.max(10, ...series.flatMap(({ points }) => points.map(([x]) => x)));
  const slowest = Math.max(10, ...series.flatMap(({ points }) => points.map(([, t]) => t)));
  const x = scaleLog([1, most], [EDGE.left, WIDTH - EDGE.right]);
  const y = scaleLog([1, slowest], [HEIGHT - EDGE.bottom, EDGE.top]);
  const at = ([size, time]: readonly [number, number]) => `${x(size).toFixed(1)},${y(time).toFixed(1)}`;
  const [foot, right] = [HEIGHT - EDGE.bottom, WIDTH - EDGE.right];
  const even = Math.min(most, slowest);
  const axes = [
    ...TICKS.filter((tick) => tick <= most).map(
      (tick) =>
        `<path class="grid" d="M${x(tick)},${foot}V${EDGE.top}"/><text x="${x(tick)}" y="${foot + 18}" text-anchor="middle">× ${tick.toLocaleString("en")}</text>`,
    ),
    ...TICKS.filter((tick) => tick <= slowest).map(
      (tick) =>
        `<path class="grid" d="M${EDGE.left},${y(tick)}H${right}"/><text x="${EDGE.left - 8}" y="${y(tick) + 4}" text-anchor="end">× ${tick.toLocaleString("en")}</text>`,
    ),
    `<path class="even" d="M${at([1, 1])}L${at([even, even])}"/>`,
  ];
  const lines = series.map(({ name, exponent, points }, i) => {
    const [colour, sign] = [COLOURS[i % COLOURS.length], SIGNS[i % SIGNS.length]];
    const marks = points
      .map(
        (point) =>
          `<text class="sign" x="${x(point[0]).toFixed(1)}" y="${(y(point[1]) + 4).toFixed(1)}">${sign}</text>`,
      )
      .join("");
    const label = `<text x="${right + 24}" y="${EDGE.top + 24 + 24 * i}">${sign} ${name}, a = ${exponent.toFixed(2)}</text>`;
    return `<g fill="${colour}"><polyline fill="none" stroke="${colour}" stroke-width="2" points="${points.map(at).join(" ")}"/>${marks}${label}</g>`;
  });
  const said = series.map(({ name, exponent }) => `${name}, exponent ${exponent.toFixed(2)}`).join("; ");
  return `<svg role="img" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="13">
<title>How the time of a pass, or of a run, grows: ${said}</title>
<style>text{fill:#57534e}g text{fill:inherit}.sign{text-anchor:middle}.grid{stroke:#a8a29e55}.even{stroke:#78716c;stroke-dasharray:2 4}@media (prefers-color-scheme:dark){text{fill:#a8a29e}g text{fill:inherit}}</style>
${[...axes, ...lines].join("\n")}
<text x="${(EDGE.left + right) / 2}" y="${HEIGHT - 8}" text-anchor="middle">multiples of the smallest; dotted: as much time as size</text>
</svg>
`;
}
