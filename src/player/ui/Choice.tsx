import { type KeyboardEvent, useState } from "react";
import { isMirrored, mirroredKey } from "../keys/mirroredKey";
import styles from "./Choice.module.css";

interface Props<T extends string> {
  label: string;
  value: T;
  /** `lang` is that of the label, where it is not the page's. */
  options: readonly { value: T; label: string; hint?: string; lang?: string }[];
  onChange: (value: T) => void;
  /** `quiet` is small and without a ground. */
  look?: "segments" | "quiet";
}

/** One of a few, all of them in sight. Tab reaches the chosen one, arrows look at the others, Space and Enter choose. */
export function Choice<T extends string>({ label, value, options, onChange, look = "segments" }: Props<T>) {
  /** Where the keyboard is; null while it is elsewhere. */
  const [at, setAt] = useState<T | null>(null);
  const entry = options.some((option) => option.value === value) ? value : options[0]?.value;

  const onKeyDown = (event: KeyboardEvent<HTMLButtonElement>, from: number) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const key = isMirrored(event.currentTarget) ? mirroredKey(event.key) : event.key;
    const to = neighbour(key, from, options.length);
    if (to === undefined) return;
    event.preventDefault();
    const items = event.currentTarget.parentElement?.querySelectorAll<HTMLElement>("[role=radio]");
    items?.[to]?.focus();
  };

  return (
    <div
      className={`${styles.choice} ${look === "quiet" ? styles.quiet : styles.segments}`}
      role="radiogroup"
      aria-label={label}
    >
      {options.map((option, i) => (
        // biome-ignore lint/a11y/useSemanticElements: an <input> takes letters and Space from those who play by keyboard.
        <button
          key={option.value}
          type="button"
          role="radio"
          className={styles.item}
          title={option.hint}
          lang={option.lang}
          aria-checked={option.value === value}
          tabIndex={option.value === (at ?? entry) ? 0 : -1}
          // Pressing the chosen one again would leave none chosen.
          onClick={() => option.value !== value && onChange(option.value)}
          onFocus={() => setAt(option.value)}
          onBlur={() => setAt(null)}
          onKeyDown={(event) => onKeyDown(event, i)}
        >
          {option.label}
        </button>
      ))}
    </div>
  );
}

/** The item that a key leads to, from the last to the first and back; undefined for keys that do not move. */
function neighbour(key: string, from: number, count: number): number | undefined {
  switch (key) {
    case "ArrowRight":
    case "ArrowDown":
      return (from + 1) % count;
    case "ArrowLeft":
    case "ArrowUp":
      return (from - 1 + count) % count;
    case "Home":
    case "PageUp":
      return 0;
    case "End":
    case "PageDown":
      return count - 1;
    default:
      return undefined;
  }
}
