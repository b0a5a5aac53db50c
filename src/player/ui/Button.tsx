import type { ComponentProps } from "react";
import styles from "./Button.module.css";

interface Props extends ComponentProps<"button"> {
  /** `main` does what is usually wanted, `danger` what cannot be taken back. */
  readonly look?: "plain" | "main" | "danger";
  /** Not `disabled`: a button that goes dead under the finger must not lose the keyboard's place. */
  readonly disabled?: never;
  readonly "aria-disabled"?: boolean;
}

/** A button with words on it. One that is not live can still be reached, and does nothing. */
export function Button({ look = "plain", type = "button", className = "", onClick, ...button }: Props) {
  return (
    <button
      {...button}
      type={type}
      className={`${styles.button} ${className}`}
      data-look={look}
      onClick={(event) => {
        if (button["aria-disabled"]) event.preventDefault();
        else onClick?.(event);
      }}
    />
  );
}
