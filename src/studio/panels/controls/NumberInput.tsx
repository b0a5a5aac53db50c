import { useLayoutEffect, useRef, useState } from "react";
import { useStore } from "zustand";
import { settingLimits } from "../../../flow/settings";
import type { NumberSetting } from "../../session/writing/settings";
import { useStudio, useWords } from "../StudioContext";
import styles from "./NumberField.module.css";
import { shownNumber } from "./shownNumber";

interface Props {
  id: string;
  name: NumberSetting;
  describedBy?: string;
  label?: string;
  /** Can be read and reached, but not changed. */
  disabled?: boolean;
}

/** The field to type a number in. What cannot be used stays as typed, with the reason, until it is put right. */
export function NumberInput({ id, name, describedBy, label, disabled = false }: Props) {
  const studio = useStudio();
  const words = useWords().settings;
  const value = useStore(studio.settings, ({ values }) => values[name]);
  const refusal = useStore(studio.settings, ({ refusals }) => refusals[name]);
  const maxLength = useStore(studio.settings, ({ maxLength }) => maxLength);
  const { integer, least, greatest } = settingLimits(maxLength)[name];
  const { enter, forgive } = studio.settings.getState();
  const field = useRef<HTMLInputElement>(null);
  const [typed, setTyped] = useState("");
  const shown = shownNumber(typed, words.numberTyped, value, refusal);

  // A number that comes from elsewhere, such as a model's own, would stand before what is typed next.
  useLayoutEffect(() => {
    const input = field.current;
    if (input && shown !== typed && input.ownerDocument.activeElement === input) input.select();
  }, [shown, typed]);

  return (
    <>
      <input
        ref={field}
        id={id}
        className={styles.numberInput}
        type="text"
        inputMode="decimal"
        autoComplete="off"
        spellCheck={false}
        value={shown}
        // What cannot be used has to be put right even so.
        readOnly={disabled && !refusal}
        aria-disabled={disabled && !refusal}
        aria-label={label}
        aria-invalid={refusal !== undefined}
        aria-describedby={[refusal && `${id}-refusal`, describedBy].filter(Boolean).join(" ")}
        onChange={({ target }) => {
          setTyped(target.value);
          enter(name, words.numberTyped(target.value), target.value);
        }}
        onFocus={({ target }) => target.select()}
        onBlur={() => setTyped("")}
        onKeyDown={(event) => {
          if (event.key !== "Escape" || !refusal) return;
          event.preventDefault();
          forgive(name);
        }}
      />
      {refusal && (
        <p className={styles.numberRefusal} id={`${id}-refusal`} role="alert">
          {words.refused(integer, least, greatest)}
        </p>
      )}
    </>
  );
}
