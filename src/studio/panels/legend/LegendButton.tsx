import { lazy, Suspense, useRef } from "react";
import { useStore } from "zustand";
import { showLegend } from "../../actions/view";
import { useStudio, useWords } from "../StudioContext";
import { ActionButton } from "../ui/ActionButton";
import { Icon } from "../ui/Icon";
import styles from "./LegendButton.module.css";

/** Comes when somebody asks. */
const Legend = lazy(async () => ({ default: (await import("./Legend")).Legend }));

/** Tells what violet, blur, orange and grey mean. */
export function LegendButton() {
  const studio = useStudio();
  const words = useWords().legend;
  const button = useRef<HTMLButtonElement>(null);
  const open = useStore(studio.view, ({ legendOpen }) => legendOpen);
  return (
    <>
      <ActionButton
        action={showLegend}
        label={words.title}
        expanded={open}
        outlined
        className={styles.legendButton}
        ref={button}
      >
        <Icon name="legend" size={17} /> {words.button}
      </ActionButton>
      {open && (
        <Suspense>
          <Legend button={button} />
        </Suspense>
      )}
    </>
  );
}
