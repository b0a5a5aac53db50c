import { useEffect } from "react";
import { useStore } from "zustand";
import { useStudio } from "../StudioContext";
import styles from "./Said.module.css";

/** Seconds that a notice stands; a longer one as long as it takes to read. */
const STANDS = 6;
const CHARACTERS_PER_SECOND = 12;

/** Says what an action has done that cannot be seen otherwise. */
export function Said() {
  const studio = useStudio();
  const said = useStore(studio.view, ({ said }) => said);
  useEffect(() => {
    if (said === "") return;
    const timer = setTimeout(
      () => studio.view.getState().say(""),
      1000 * Math.max(STANDS, said.length / CHARACTERS_PER_SECOND),
    );
    return () => clearTimeout(timer);
  }, [said, studio.view]);
  return (
    <p className={styles.said} role="status" data-testid="notice" data-empty={said === ""}>
      {said}
    </p>
  );
}
