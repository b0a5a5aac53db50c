import { useStore } from "zustand";
import { describeSettings } from "../../../player/run/settingsInWords";
import { frameCount, type Run } from "../../session/runs/shelfRun";
import { type Branch, treeOf } from "../../session/runs/tree";
import { useStudio, useWords } from "../StudioContext";
import styles from "./RunTree.module.css";

const WIDTH = 200;
const HEIGHT = 92;
/** Room for the dots at the ends, and for the names of t under the lines. */
const EDGE = 6;
const FOOT = 14;

/**
 * The runs that were forked from one another as lines over t: each leaves the one it continues where it did. Nothing where no run
 * was. It is a picture for the eye and the pointer: the cards beside it say the same in words, and take the keyboard.
 */
export function RunTree({ runs }: { runs: readonly Run[] }) {
  const studio = useStudio();
  const words = useWords().player;
  const selectedId = useStore(studio.runs, ({ selectedId }) => selectedId);
  const branches = treeOf(runs);
  if (branches.length === 0) return null;
  const x = (t: number) => EDGE + t * (WIDTH - 2 * EDGE);
  const y = (lane: number) => EDGE + ((lane + 0.5) * (HEIGHT - EDGE - FOOT)) / branches.length;
  return (
    <div className={styles.runTree} data-testid="run-tree">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} width={WIDTH} height={HEIGHT} aria-hidden="true">
        {branches.map((branch) => {
          const { run } = branch;
          return (
            // biome-ignore lint/a11y/noStaticElementInteractions: hidden from readers; every run has a card with a button.
            <g
              key={run.id}
              className={styles.branch}
              data-selected={run.id === selectedId || undefined}
              onClick={() => studio.show(run.id)}
            >
              <title>{describeSettings(run.trajectory, words)}</title>
              <path d={pathOf(branch, x, y)} className={styles.reach} />
              <path d={pathOf(branch, x, y)} className={styles.line} />
              <circle cx={x(endOf(branch))} cy={y(branch.lane)} r="3.5" />
            </g>
          );
        })}
        <text x={x(0)} y={HEIGHT - 2}>
          {words.track.noise}
        </text>
        <text x={x(1)} y={HEIGHT - 2} textAnchor="end">
          {words.track.text}
        </text>
      </svg>
    </div>
  );
}

/** From where it leaves the other run, in a bend, along its own line as far as it got. */
function pathOf(branch: Branch, x: (t: number) => number, y: (lane: number) => number): string {
  const { lane, leaves } = branch;
  const end = x(endOf(branch));
  if (!leaves) return `M${x(0)},${y(lane)}H${end}`;
  const start = x(leaves.time);
  const bend = Math.min(start + 8, end);
  return `M${start},${y(leaves.lane)}C${start},${y(lane)} ${start},${y(lane)} ${bend},${y(lane)}H${end}`;
}

/** t as far as the run got. */
function endOf({ run }: Branch): number {
  return run.trajectory.times[Math.max(0, frameCount(run) - 1)] ?? 1;
}
