import { scaleLinear } from "d3-scale";
import { type KeyboardEvent, type MouseEvent, type PointerEvent, type Ref, useRef, useState } from "react";
import { useStore } from "zustand";
import { GAMMA_LIMITS, type GammaCurve, MOST_KNOTS } from "../../../flow/gammaCurve";
import { numbersOf } from "../../../player/lenses/numbers";
import type { ShownRun } from "../../../player/run/run";
import { Button } from "../../../player/ui/Button";
import { useStudio, useWords } from "../StudioContext";
import controlsStyles from "./Controls.module.css";
import { movedKnot, withKnotAt, withOneMore, withoutKnot } from "./curveKnots";
import styles from "./GammaChart.module.css";

const [WIDTH, HEIGHT, SIDE, FOOT] = [260, 150, 14, 24];
/** As on the lens of the schedule. */
const x = scaleLinear([0, 1], [SIDE, WIDTH - SIDE]);
const y = scaleLinear([GAMMA_LIMITS.least, GAMMA_LIMITS.greatest], [HEIGHT - FOOT, SIDE]);

/** What a key does to a knot: steps of t and of γ. */
const MOVES: Readonly<Record<string, readonly [t: number, gamma: number]>> = {
  ArrowLeft: [-0.02, 0],
  ArrowRight: [0.02, 0],
  ArrowUp: [0, 0.1],
  ArrowDown: [0, -0.1],
  PageUp: [0, 1],
  PageDown: [0, -1],
};

interface Props {
  readonly curve: GammaCurve;
  readonly firstKnot: Ref<SVGGElement>;
  /** One γ is wanted in place of the curve. */
  readonly onOne: (press: MouseEvent) => void;
}

/** γ over t, drawn by pointer or by keys, over the entropy and the repeats of the run shown. */
export function GammaChart({ curve, firstKnot, onOne }: Props) {
  const studio = useStudio();
  const { player, settings } = useWords();
  const words = settings.gammaCurve;
  const run = useStore(studio.player.run);
  const chart = useRef<SVGSVGElement>(null);
  const [held, setHeld] = useState<number | null>(null);
  const [chosen, setChosen] = useState(0);
  const { set } = studio.settings.getState();
  const draw = (drawn: GammaCurve) => set({ gammaCurve: drawn });

  const placeOf = ({ clientX, clientY }: PointerEvent) => {
    const box = (chart.current as SVGSVGElement).getBoundingClientRect();
    return [
      x.invert(((clientX - box.left) * WIDTH) / box.width),
      y.invert(((clientY - box.top) * HEIGHT) / box.height),
    ] as const;
  };
  const onKey = (event: KeyboardEvent<SVGGElement>, index: number) => {
    const move = MOVES[event.key];
    const knot = curve[index];
    if (!knot || event.ctrlKey || event.metaKey || event.altKey) return;
    if (move) draw(movedKnot(curve, index, [knot[0] + move[0], knot[1] + move[1]]));
    else if (event.key === "Delete" || event.key === "Backspace") {
      const before = event.currentTarget.previousElementSibling;
      // Of all others the keyboard goes on at the next one, which has its place.
      if (index === curve.length - 1 && index > 0 && before instanceof SVGElement) before.focus();
      draw(withoutKnot(curve, index));
    } else return;
    event.preventDefault();
    // The arrows turn the time elsewhere.
    event.stopPropagation();
  };

  const looked = curve[Math.min(chosen, curve.length - 1)];
  const ends = [[0, curve[0]?.[1] ?? 0] as const, ...curve, [1, curve.at(-1)?.[1] ?? 0] as const];
  return (
    <div className={controlsStyles.control}>
      <p className={styles.head} aria-hidden="true">
        <span>{words.label}</span> {looked && <span>{words.at(looked[1], looked[0])}</span>}
      </p>
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset cannot stand in a drawing */}
      <svg
        ref={chart}
        className={styles.chart}
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        role="group"
        aria-label={words.label}
        onPointerDown={(event) => {
          if (event.button !== 0) return;
          const [t, gamma] = placeOf(event);
          const drawn = withKnotAt(curve, [t, gamma]);
          const index = drawn.findIndex((knot) => !curve.includes(knot));
          if (index < 0) return;
          chart.current?.setPointerCapture(event.pointerId);
          setHeld(index);
          setChosen(index);
          draw(drawn);
        }}
        onPointerMove={(event) => held !== null && draw(movedKnot(curve, held, placeOf(event)))}
        onPointerUp={() => setHeld(null)}
        onPointerCancel={() => setHeld(null)}
      >
        {run && <RunBehind run={run} />}
        <path className={styles.axis} d={`M${x(0)},${y(0)}H${x(1)}`} />
        {x.ticks(4).map((t) => (
          <text
            key={t}
            className={styles.tick}
            x={t === 0 ? 2 : x(t)}
            y={HEIGHT - 6}
            textAnchor={t === 0 ? "start" : "middle"}
          >
            {t === 0 ? "t = 0" : player.run.number(t)}
          </text>
        ))}
        <polyline className={styles.curve} points={pointsOf(ends)} />
        {curve.map(([t, gamma], index) => (
          <g
            // A knot keeps its place among the others while it moves.
            // biome-ignore lint/suspicious/noArrayIndexKey: a knot is known by its place
            key={index}
            ref={index === 0 ? firstKnot : undefined}
            className={styles.knot}
            role="slider"
            tabIndex={0}
            aria-label={words.knot(index + 1, curve.length)}
            aria-valuemin={GAMMA_LIMITS.least}
            aria-valuemax={GAMMA_LIMITS.greatest}
            aria-valuenow={gamma}
            aria-valuetext={words.at(gamma, t)}
            aria-orientation="vertical"
            onFocus={() => setChosen(index)}
            onKeyDown={(event) => onKey(event, index)}
            onPointerDown={(event) => {
              event.stopPropagation();
              if (event.button !== 0) return;
              chart.current?.setPointerCapture(event.pointerId);
              setHeld(index);
              setChosen(index);
            }}
          >
            <circle className={styles.reach} cx={x(t)} cy={y(gamma)} r="22" />
            <circle cx={x(t)} cy={y(gamma)} r="6" />
          </g>
        ))}
      </svg>
      <p className={controlsStyles.controlNote}>
        <span>{words.is}</span> <span>{run ? words.behind : ""}</span>
      </p>
      <div className={styles.ways}>
        <Button onClick={() => draw(withOneMore(curve))} aria-disabled={curve.length >= MOST_KNOTS}>
          {words.add}
        </Button>
        <Button onClick={() => draw(withoutKnot(curve, chosen))} aria-disabled={curve.length <= 1}>
          {words.remove}
        </Button>
        <Button onClick={onOne}>{words.one}</Button>
      </div>
    </div>
  );
}

/** Mean entropy, as a share of its most, and repeats, as a share of the words, of the frames that were read. */
function RunBehind({ run }: { run: ShownRun }) {
  const numbers = numbersOf(run, "holds");
  const most = Math.max(...numbers.map(({ meanEntropy }) => meanEntropy), 1e-9);
  const points = (share: (figures: (typeof numbers)[number]) => number) =>
    pointsOf(
      numbers.map(
        (figures) => [run.trajectory.times[figures.step] ?? 0, GAMMA_LIMITS.greatest * share(figures)] as const,
      ),
    );
  return (
    <g>
      <polyline className={styles.entropy} points={points(({ meanEntropy }) => meanEntropy / most)} />
      <polyline className={styles.repeats} points={points(({ adjacent }) => adjacent)} />
    </g>
  );
}

function pointsOf(places: readonly (readonly [t: number, gamma: number])[]): string {
  return places.map(([t, gamma]) => `${x(t).toFixed(1)},${y(gamma).toFixed(1)}`).join(" ");
}
