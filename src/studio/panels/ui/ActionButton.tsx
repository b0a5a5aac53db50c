import { Tooltip } from "radix-ui";
import type { ReactNode, Ref } from "react";
import { iconButtonClass } from "../../../player/ui/IconButton";
import type { Action } from "../../actions/action";
import { Shortcuts } from "./Shortcuts";
import styles from "./Tooltip.module.css";
import { useAction } from "./useAction";

interface Props {
  action: Action;
  /** What the button is called where its content is a drawing, and the tooltip says. */
  label: string;
  className?: string | undefined;
  outlined?: boolean;
  pressed?: boolean;
  /** Whether what it opens is open. */
  expanded?: boolean;
  ref?: Ref<HTMLButtonElement>;
  children: ReactNode;
}

/** A square button for an action, with its name and shortcut in a tooltip. */
export function ActionButton({ action, label, className, outlined, pressed, expanded, ref, children }: Props) {
  const button = useAction(action);
  return (
    <Tooltip.Root>
      <Tooltip.Trigger asChild>
        <button
          {...button}
          className={iconButtonClass({ outlined, className })}
          aria-label={label}
          aria-pressed={pressed}
          aria-expanded={expanded}
          ref={ref}
        >
          {children}
        </button>
      </Tooltip.Trigger>
      <Tooltip.Portal>
        <Tooltip.Content className={styles.tooltip} sideOffset={6} collisionPadding={8}>
          <span>{label}</span> <Shortcuts shortcuts={action.shortcuts.slice(0, 1)} />
        </Tooltip.Content>
      </Tooltip.Portal>
    </Tooltip.Root>
  );
}
