import { useStore } from "zustand";
import { keepingSentence } from "../../session/kept/keeping";
import { useStudio, useWords } from "../StudioContext";
import styles from "./Shelf.module.css";

/** Says what will be gone when the page is closed; nothing where all of it is kept. */
export function KeepingNote() {
  const studio = useStudio();
  const words = useWords();
  const sentence = useStore(studio.keeping, (keeping) => keepingSentence(keeping, words));
  return (
    <p className={styles.shelfKeeping} role="status" data-testid="keeping" data-empty={sentence === null}>
      {sentence}
    </p>
  );
}
