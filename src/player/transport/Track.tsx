import { type KeyboardEvent, memo, type PointerEvent, useMemo, useRef } from "react";
import type { Axis } from "../display";
import { usePlayer } from "../PlayerContext";
import type { ShownRun } from "../run/run";
import type { Settling } from "../run/settling";
import { barHeight, nearestStep, stepForKey, trackPositions } from "./layout";
import styles from "./Track.module.css";

interface Props {
  run: ShownRun;
  /** Null while the run is not complete: nothing has settled for certain then. */
  settling: Settling | null;
  axis: Axis;
  index: number;
  onSeek: (index: number) => void;
}

const BARS_HEIGHT = 36;

/** The t slider. Ticks stand where the schedule's steps are; bars above say how many tokens settle at each. */
export function Track({ run, settling, axis, index, onSeek }: Props) {
  const { track: words } = usePlayer().words;
  const rail = useRef<HTMLDivElement>(null);
  const { times, frames, from } = run.trajectory;
  const last = frames.length - 1;
  const positions = useMemo(() => trackPositions(times, axis), [times, axis]);
  const here = positions[index] ?? 0;

  const seekTo = (event: PointerEvent) => {
    const box = rail.current?.getBoundingClientRect();
    if (!box) return;
    const percent = (100 * (event.clientX - box.left)) / box.width;
    onSeek(nearestStep(positions, percent, frames.length));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = stepForKey(event.key, index, last);
    if (step === undefined) return;
    event.preventDefault();
    onSeek(step);
  };

  return (
    <div
      className={styles.track}
      part="track"
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        seekTo(event);
      }}
      onPointerMove={(event) => event.currentTarget.hasPointerCapture(event.pointerId) && seekTo(event)}
    >
      <div>
        <Bars settling={settling} positions={positions} index={index} />
        <div className={styles.rail} ref={rail}>
          <div className={styles.there} style={{ width: `${positions[last] ?? 0}%` }} />
          <div className={styles.past} style={{ width: `${here}%` }} />
          {from && <div className={styles.fork} style={{ left: `${positions[from.step] ?? 0}%` }} title={words.fork} />}
          <div
            className={styles.thumb}
            role="slider"
            tabIndex={0}
            aria-label={words.label}
            aria-valuemin={0}
            aria-valuemax={last}
            aria-valuenow={index}
            aria-valuetext={[
              words.value(times[index] ?? 0, index, times.length - 1),
              ...(index === from?.step ? [words.forked] : []),
            ].join(", ")}
            style={{ left: `${here}%` }}
            onKeyDown={onKeyDown}
          />
        </div>
        <Ticks positions={positions} last={last} />
        <div className={styles.ends} data-piece="ends" aria-hidden="true">
          <span>{words.noise}</span>
          {settling && (
            <span className={styles.legend} data-piece="legend">
              {words.legend}
            </span>
          )}
          <span>{words.text}</span>
        </div>
      </div>
    </div>
  );
}

function Bars({
  settling,
  positions,
  index,
}: {
  settling: Settling | null;
  positions: readonly number[];
  index: number;
}) {
  const { track: words } = usePlayer().words;
  const perFrame = settling?.perFrame ?? [];
  const bars = perFrame.map((count, step) => ({ step, count })).filter(({ count }) => count > 0);
  const most = Math.max(1, ...perFrame);
  const label = settling
    ? words.bars(
        perFrame.indexOf(most),
        most,
        perFrame.reduce((sum, count) => sum + count, 0),
      )
    : words.noBars;
  return (
    <svg className={styles.bars} data-piece="bars" height={BARS_HEIGHT} role="img" aria-label={label}>
      {bars.map(({ step, count }) => (
        <line
          key={step}
          x1={`${positions[step] ?? 0}%`}
          x2={`${positions[step] ?? 0}%`}
          y1={BARS_HEIGHT - 2}
          y2={BARS_HEIGHT - 2 - barHeight(count, most, BARS_HEIGHT - 4)}
          data-past={step <= index}
        >
          <title>{words.bar(count, step)}</title>
        </line>
      ))}
    </svg>
  );
}

/** There may be a thousand of them, and most frames change none. */
const Ticks = memo(function Ticks({ positions, last }: { positions: readonly number[]; last: number }) {
  return (
    <svg className={styles.ticks} data-piece="ticks" height="7" aria-hidden="true">
      {positions
        .map((x, step) => ({ x, step }))
        .map(({ x, step }) => (
          <line key={step} x1={`${x}%`} x2={`${x}%`} y1="0" y2="7" data-there={step <= last} />
        ))}
    </svg>
  );
});
