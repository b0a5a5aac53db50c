import type { ReactNode } from "react";
import styles from "./IconButton.module.css";

export interface IconButtonProps {
  /** What the button is called where its content is a drawing. */
  readonly label: string;
  readonly className?: string | undefined;
  readonly disabled?: boolean;
  readonly onPress: () => void;
  readonly children: ReactNode;
}

/** A square button, often with a drawing on it. */
export function IconButton({ label, className, disabled = false, onPress, children }: IconButtonProps) {
  return (
    <button
      type="button"
      className={iconButtonClass({ className })}
      aria-label={label}
      title={label}
      // Not `disabled`: a button that goes dead under the finger must not lose the keyboard's place.
      aria-disabled={disabled}
      onClick={() => {
        if (!disabled) onPress();
      }}
    >
      {children}
    </button>
  );
}

/** The same looks for a button that another component is to make. */
export function iconButtonClass({
  outlined = false,
  className = "",
}: {
  outlined?: boolean | undefined;
  className?: string | undefined;
} = {}): string {
  return `${styles.button} ${outlined ? styles.outlined : ""} ${className}`;
}
