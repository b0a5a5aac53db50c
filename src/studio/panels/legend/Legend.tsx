import { Popover } from "radix-ui";
import type { RefObject } from "react";
import { iconButtonClass } from "../../../player/ui/IconButton";
import { useStudio, useWords } from "../StudioContext";
import { Icon } from "../ui/Icon";
import styles from "./Legend.module.css";
import { Marks } from "./Marks";

/** What the marks mean, beside the text that they stand in; the page stays in reach. */
export function Legend({ button }: { button: RefObject<HTMLButtonElement | null> }) {
  const { openLegend } = useStudio().view.getState();
  const words = useWords().legend;
  return (
    <Popover.Root open onOpenChange={openLegend}>
      {/* A press of the button closes it by the button's own action. */}
      <Popover.Anchor virtualRef={button as RefObject<HTMLButtonElement>} />
      <Popover.Portal>
        <Popover.Content
          className={styles.legend}
          side="top"
          sideOffset={8}
          collisionPadding={12}
          aria-label={words.title}
          // Where a press has taken the keyboard elsewhere, it stays.
          onCloseAutoFocus={() => {
            if (document.activeElement === document.body) button.current?.focus();
          }}
          onInteractOutside={(event) => {
            if (button.current?.contains(event.target as Node)) event.preventDefault();
          }}
        >
          <div className={styles.legendHead}>
            <h2>{words.title}</h2>
            <Popover.Close className={iconButtonClass()} aria-label={words.close}>
              <Icon name="close" />
            </Popover.Close>
          </div>
          <Marks />
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}
