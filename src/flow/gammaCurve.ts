/** Fresh noise γ that changes over t, as somebody has drawn it. */
import { SettingsError } from "./errors";

/** A point of the curve: t from 0 to 1, γ from 0 to 8. */
export type GammaKnot = readonly [t: number, gamma: number];

/** Straight lines between its knots, level before the first and after the last. */
export type GammaCurve = readonly GammaKnot[];

/** Most knots of a curve: drawn by hand, and short enough for a link. */
export const MOST_KNOTS = 8;

export const GAMMA_LIMITS = { least: 0, greatest: 8, integer: false } as const;

/** γ at the time `t` at which a step begins: that of the curve where there is one, the same everywhere else. */
export function gammaAt(
  { gamma, gammaCurve }: { readonly gamma: number; readonly gammaCurve?: GammaCurve | undefined },
  t: number,
): number {
  if (!gammaCurve) return gamma;
  const next = gammaCurve.findIndex(([at]) => at > t);
  const [t0, g0] = gammaCurve.at(next < 0 ? -1 : Math.max(0, next - 1)) as GammaKnot;
  const [t1, g1] = gammaCurve.at(next) as GammaKnot;
  return next <= 0 ? g1 : g0 + (g1 - g0) * ((t - t0) / (t1 - t0));
}

/** Whether these are knots of a curve: 1 to 8, ascending in t, both numbers within their limits. */
export function isGammaCurve(knots: unknown): knots is GammaCurve {
  const { least, greatest } = GAMMA_LIMITS;
  if (!isListOfLists(knots) || knots.length < 1 || knots.length > MOST_KNOTS) return false;
  return knots.every(
    ([t, gamma, ...more], i) =>
      more.length === 0 &&
      typeof t === "number" &&
      typeof gamma === "number" &&
      t >= 0 &&
      t <= 1 &&
      gamma >= least &&
      gamma <= greatest &&
      (i === 0 || t > (knots[i - 1]?.[0] as number)),
  );
}

function isListOfLists(value: unknown): value is readonly (readonly unknown[])[] {
  // Spread, for `every` passes over holes.
  return Array.isArray(value) && [...value].every(Array.isArray);
}

/** @throws {SettingsError} */
export function checkGammaCurve(curve: GammaCurve): void {
  if (isGammaCurve(curve)) return;
  throw new SettingsError(
    `gammaCurve is ${isListOfLists(curve) ? gammaCurveText(curve) : String(curve)}.`,
    `Give 1 to ${MOST_KNOTS} knots t=γ, ascending in t from 0 to 1, γ from ${GAMMA_LIMITS.least} to ${GAMMA_LIMITS.greatest}.`,
  );
}

/** As links and command lines have it: `0=0.5+0.4=3+1=0`. */
export function gammaCurveText(curve: GammaCurve): string {
  return curve.map(([t, gamma]) => `${t}=${gamma}`).join("+");
}

/** The curve of such a text; undefined where it is none. */
export function gammaCurveIn(text: string): GammaCurve | undefined {
  const knots = text.split("+").map((knot) => {
    const numbers = knot.split("=");
    return numbers.map((number) => (/^\d*\.?\d/.test(number) ? Number(number) : Number.NaN));
  });
  return isGammaCurve(knots) ? knots : undefined;
}
