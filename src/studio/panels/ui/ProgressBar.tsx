import styles from "./ProgressBar.module.css";

interface Props {
  label: string;
  /** What goes on now, in a few words. */
  phase: string;
  /** Figures, in a few more. */
  detail: string;
  /** 0 … 1; null where the end cannot be told. */
  share: number | null;
  /** What went otherwise than it should, and what is done about it. */
  note?: string | undefined;
}

/** One bar, and beneath it in words what it stands for. */
export function ProgressBar({ label, phase, detail, share, note }: Props) {
  return (
    <div className={styles.progress}>
      <div
        className={styles.progressBar}
        role="progressbar"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={100}
        {...(share === null ? {} : { "aria-valuenow": Math.round(100 * share) })}
        aria-valuetext={[phase, detail].filter(Boolean).join(". ")}
        data-unknown={share === null}
      >
        <i style={{ width: `${100 * (share ?? 1)}%` }} />
      </div>
      <p>
        <span>{phase}</span>
        <span>{detail}</span>
      </p>
      {note && (
        <p className={styles.progressGivenUp} role="status">
          {note}
        </p>
      )}
    </div>
  );
}
