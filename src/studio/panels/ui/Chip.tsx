import styles from "./Chip.module.css";

interface Props {
  label: string;
  chosen: boolean;
  hint?: string | undefined;
  onPress: () => void;
}

/** One of an open list of things to press: a name of one line, cut with an ellipsis where it does not fit. */
export function Chip({ label, chosen, hint, onPress }: Props) {
  return (
    <button type="button" className={styles.chip} aria-pressed={chosen} title={hint} onClick={onPress}>
      {label}
    </button>
  );
}
