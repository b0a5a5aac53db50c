import { Dialog } from "radix-ui";
import { type ComponentProps, type ReactNode, useRef } from "react";
import { iconButtonClass } from "../../../player/ui/IconButton";
import { useWords } from "../StudioContext";
import { Icon } from "./Icon";
import styles from "./SheetDialog.module.css";

export interface SheetProps extends Omit<ComponentProps<typeof Dialog.Content>, "title"> {
  readonly title: string;
  readonly open: boolean;
  readonly onOpen: (open: boolean) => void;
  readonly children: ReactNode;
}

/** A sheet, open or closing. It has several openers, or none that is seen: the keyboard returns to where it was. */
export function SheetDialog({ title, open, onOpen, children, ...content }: SheetProps) {
  const before = useRef<Element>(null);
  const words = useWords();
  return (
    <Dialog.Root open={open} onOpenChange={onOpen}>
      <Dialog.Portal>
        <Dialog.Overlay className={styles.dialogVeil} />
        <Dialog.Content
          {...content}
          className={styles.dialog}
          data-modal
          aria-describedby={undefined}
          onOpenAutoFocus={() => {
            before.current = document.activeElement;
          }}
          onCloseAutoFocus={() => {
            if (before.current instanceof HTMLElement) before.current.focus();
          }}
        >
          <div className={styles.dialogHead}>
            <Dialog.Title>{title}</Dialog.Title>
            <Dialog.Close className={iconButtonClass()} aria-label={words.sheet.close}>
              <Icon name="close" />
            </Dialog.Close>
          </div>
          {children}
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
