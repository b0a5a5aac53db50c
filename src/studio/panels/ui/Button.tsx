import type { ComponentProps } from "react";
import styles from "./Button.module.css";

interface Props extends Omit<ComponentProps<"button">, "onClick"> {
  /** `main` does what is usually wanted, `danger` what cannot be taken back. */
  readonly look?: "plain" | "main" | "danger";
  readonly onPress?: () => void;
}

/** A button with words on it. One that is not live can still be reached, and does nothing. */
export function Button({ look = "plain", type = "button", disabled = false, onPress, ...button }: Props) {
  return (
    <button
      {...button}
      type={type}
      className={styles.button}
      data-look={look}
      // Not `disabled`: a button that goes dead under the finger must not lose the keyboard's place.
      aria-disabled={disabled}
      onClick={(event) => {
        if (!disabled) onPress?.();
        else event.preventDefault();
      }}
    />
  );
}
