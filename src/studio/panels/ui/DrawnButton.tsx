import type { ComponentProps } from "react";
import { Button } from "../../../player/ui/Button";
import type { Action } from "../../actions/action";
import { useWords } from "../StudioContext";
import styles from "./DrawnButton.module.css";
import { Icon } from "./Icon";
import { useAction } from "./useAction";

/** A button for an action, with a drawing and a word; where there is little room the drawing alone is seen. */
export function DrawnButton({
  action,
  icon,
  label,
}: {
  action: Action;
  icon: ComponentProps<typeof Icon>["name"];
  label: string;
}) {
  const button = useAction(action);
  const words = useWords();
  return (
    <Button {...button} className={styles.drawnButton} aria-label={label} title={words.actions[action.id]}>
      <Icon name={icon} size={16} /> <span>{label}</span>
    </Button>
  );
}
