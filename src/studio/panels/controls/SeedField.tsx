import { useStore } from "zustand";
import { lockSeed, newSeed } from "../../actions/writing";
import { useStudio, useWords } from "../StudioContext";
import { ActionButton } from "../ui/ActionButton";
import { Icon } from "../ui/Icon";
import styles from "./Controls.module.css";
import numberFieldStyles from "./NumberField.module.css";
import { NumberInput } from "./NumberInput";

export function SeedField() {
  const studio = useStudio();
  const words = useWords().settings.seed;
  const locked = useStore(studio.settings, ({ seedLocked }) => seedLocked);
  return (
    <div className={styles.control}>
      <label htmlFor="seed">{words.name}</label>
      <div className={numberFieldStyles.seedRow}>
        <NumberInput id="seed" name="seed" describedBy="seed-note" />
        <ActionButton action={lockSeed} label={locked ? words.isKept : words.keep} pressed={locked} outlined>
          <Icon name={locked ? "lock" : "unlock"} />
        </ActionButton>
        <ActionButton action={newSeed} label={words.draw} outlined>
          <Icon name="dice" />
        </ActionButton>
      </div>
      <p className={styles.controlNote} id="seed-note">
        {locked ? words.kept : words.drawn}
      </p>
    </div>
  );
}
