import { useStore } from "zustand";
import { letAllGo } from "../../actions/writing";
import type { HeldWord } from "../../session/writing/draft";
import { useStudio, useWords } from "../StudioContext";
import { ActionButton } from "../ui/ActionButton";
import { Icon } from "../ui/Icon";
import styles from "./HeldStrip.module.css";

/** The tokens that the next run is to keep in their places; nothing while there are none. */
export function HeldStrip() {
  const studio = useStudio();
  const words = useWords().held;
  const held = useStore(studio.draft, ({ held }) => held);
  return (
    <>
      {/* Always in the document, so that screen readers hear of every change. */}
      <p className="visually-hidden" role="status">
        {words.said(held.length)}
      </p>
      {held.length > 0 && <HeldWords held={held} onLetGo={(position) => studio.draft.getState().letGo(position)} />}
    </>
  );
}

function HeldWords({ held, onLetGo }: { held: readonly HeldWord[]; onLetGo: (position: number) => void }) {
  const { player } = useStudio();
  const words = useWords().held;
  return (
    <section className={styles.held} aria-label={words.label} data-testid="held">
      <p className={styles.heldTitle} id="held-title">
        {words.title}
      </p>
      <ul aria-labelledby="held-title">
        {held.map(({ position, word }) => (
          <li key={position}>
            <button
              type="button"
              className={styles.heldWord}
              aria-label={words.letGo(word, position + 1)}
              onClick={() => onLetGo(position)}
            >
              <small>{position + 1}</small>
              <span translate="no" lang={player.textLanguage}>
                {word}
              </span>
              <Icon name="close" size={13} />
            </button>
          </li>
        ))}
      </ul>
      <ActionButton action={letAllGo} label={words.letAllGo} className={styles.heldClear}>
        {words.clear}
      </ActionButton>
    </section>
  );
}
