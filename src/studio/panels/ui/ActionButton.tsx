import { Tooltip } from "radix-ui";
import type { ReactNode } from "react";
import { type Action, ariaShortcuts, perform } from "../../actions/action";
import { useStudio } from "../StudioContext";
import { Shortcuts } from "./Shortcuts";
import "./Tooltip.css";

interface Props {
  action: Action;
  /** What the button is called where its content is a drawing, and the tooltip says. */
  label: string;
  className?: string;
  pressed?: boolean;
  disabled?: boolean;
  children: ReactNode;
}

/** A square button for an action, with its name and shortcut in a tooltip. */
export function ActionButton({ action, label, className = "", pressed, disabled = false, children }: Props) {
  const studio = useStudio();
  return (
    <Tooltip.Root>
      <Tooltip.Trigger asChild>
        <button
          type="button"
          className={`action-button ${className}`}
          aria-label={label}
          aria-keyshortcuts={ariaShortcuts(action.shortcuts)}
          aria-pressed={pressed}
          // Not `disabled`: a button that goes dead under the finger must not lose the keyboard's place.
          aria-disabled={disabled}
          onClick={() => perform(action, studio)}
        >
          {children}
        </button>
      </Tooltip.Trigger>
      <Tooltip.Portal>
        <Tooltip.Content className="tooltip" sideOffset={6} collisionPadding={8}>
          <span>{label}</span> <Shortcuts shortcuts={action.shortcuts.slice(0, 1)} />
        </Tooltip.Content>
      </Tooltip.Portal>
    </Tooltip.Root>
  );
}
