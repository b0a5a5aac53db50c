import styles from "./Track.module.css";

/** Bars as they stand on the track, drawn by its styles: those up to the step shown, and those still to come. */
export function BarsSample({ past, coming }: { past: readonly number[]; coming: readonly number[] }) {
  const heights = [...past, ...coming];
  const height = Math.max(...heights);
  return (
    <svg className={styles.bars} width={9 * heights.length} height={height} aria-hidden="true">
      {heights
        .map((tall, place) => ({ tall, place }))
        .map(({ tall, place }) => (
          <line
            key={place}
            x1={9 * place + 4.5}
            x2={9 * place + 4.5}
            y1={height}
            y2={height - tall}
            data-past={place < past.length}
          />
        ))}
    </svg>
  );
}
