import { useStore } from "zustand";
import { lockSeed, newSeed } from "../../actions/writing";
import { useStudio } from "../StudioContext";
import { ActionButton } from "../ui/ActionButton";
import { Icon } from "../ui/Icon";
import styles from "./Controls.module.css";
import numberFieldStyles from "./NumberField.module.css";
import { NumberInput } from "./NumberInput";

export function SeedField() {
  const studio = useStudio();
  const locked = useStore(studio.settings, ({ seedLocked }) => seedLocked);
  return (
    <div className={styles.control}>
      <label htmlFor="seed">Seed</label>
      <div className={numberFieldStyles.seedRow}>
        <NumberInput id="seed" name="seed" describedBy="seed-note" />
        <ActionButton
          action={lockSeed}
          label={locked ? "Seed is kept for every run" : "Keep this seed"}
          pressed={locked}
          outlined
        >
          <Icon name={locked ? "lock" : "unlock"} />
        </ActionButton>
        <ActionButton action={newSeed} label="Draw a new seed" outlined>
          <Icon name="dice" />
        </ActionButton>
      </div>
      <p className={styles.controlNote} id="seed-note">
        {locked
          ? "The noise it starts from. Kept: the same settings write the same text again."
          : "The noise it starts from. Each run draws its own; the lock keeps this one."}
      </p>
    </div>
  );
}
