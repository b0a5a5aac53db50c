/** What a hand does to the knots of a curve; each gives a curve that a run can have. */
import { GAMMA_LIMITS, type GammaCurve, type GammaKnot, gammaAt, MOST_KNOTS } from "../../../flow/gammaCurve";

/** Least distance of two knots in t. */
const APART = 0.01;

/** The curve with a knot moved, no further than between its neighbours. */
export function movedKnot(curve: GammaCurve, index: number, [t, gamma]: GammaKnot): GammaCurve {
  const before = curve[index - 1];
  const after = curve[index + 1];
  const place = within(t, before ? before[0] + APART : 0, after ? after[0] - APART : 1);
  const moved = [rounded(place, 2), rounded(within(gamma, GAMMA_LIMITS.least, GAMMA_LIMITS.greatest), 1)] as const;
  return curve.map((knot, i) => (i === index ? moved : knot));
}

/** The curve with one more knot there; as it was where it has as many as it may, or one stands there already. */
export function withKnotAt(curve: GammaCurve, [t, gamma]: GammaKnot): GammaCurve {
  const place = rounded(within(t, 0, 1), 2);
  const isTaken = curve.some(([at]) => Math.abs(at - place) < APART * 0.99);
  if (curve.length >= MOST_KNOTS || isTaken) return curve;
  const knot = [place, rounded(within(gamma, GAMMA_LIMITS.least, GAMMA_LIMITS.greatest), 1)] as const;
  return [...curve, knot].sort(([a], [b]) => a - b);
}

/** The curve with one more knot on its line, in the middle of the widest gap. */
export function withOneMore(curve: GammaCurve): GammaCurve {
  const places = [...new Set([0, ...curve.map(([t]) => t), 1])];
  const gaps = places.slice(1).map((t, i) => [t - (places[i] as number), (t + (places[i] as number)) / 2] as const);
  const [, middle = 0.5] = gaps.reduce((widest, gap) => (gap[0] > widest[0] ? gap : widest), [0, 0.5]);
  return withKnotAt(curve, [middle, gammaAt({ gamma: 0, gammaCurve: curve }, middle)]);
}

/** The curve without a knot; its last one stays. */
export function withoutKnot(curve: GammaCurve, index: number): GammaCurve {
  const gone = Math.min(index, curve.length - 1);
  return curve.length > 1 ? curve.filter((_, i) => i !== gone) : curve;
}

function within(value: number, least: number, greatest: number): number {
  return Math.min(greatest, Math.max(least, value));
}

function rounded(value: number, decimals: number): number {
  return Number(value.toFixed(decimals));
}
