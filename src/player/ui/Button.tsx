import type { ReactNode } from "react";

export interface ButtonProps {
  /** What the button is called where its content is a drawing. */
  readonly label: string;
  readonly className?: string;
  readonly disabled?: boolean;
  readonly onPress: () => void;
  readonly children: ReactNode;
}

/** A square button, often with a drawing on it. */
export function Button({ label, className = "", disabled = false, onPress, children }: ButtonProps) {
  return (
    <button
      type="button"
      className={`action-button ${className}`}
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
