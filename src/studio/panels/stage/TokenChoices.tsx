import { type FormEvent, useId, useState } from "react";
import { useStore } from "zustand";
import { problemOf } from "../../../flow/errors";
import type { ShownRun } from "../../../player/run/run";
import { Button } from "../../../player/ui/Button";
import { holdToken } from "../../actions/writing";
import { holdWord } from "../../session/writing/holdWord";
import { useStudio, useWords } from "../StudioContext";
import { Shortcuts } from "../ui/Shortcuts";
import { useAction } from "../ui/useAction";
import styles from "./TokenChoices.module.css";

/** Under a pinned token: hold it in the next run, or another word in its place. */
export function TokenChoices({ run, position }: { run: ShownRun; position: number }) {
  const studio = useStudio();
  const words = useWords().stage;
  const id = useId();
  const [word, setWord] = useState("");
  const [wrong, setWrong] = useState("");
  const [reading, setReading] = useState(false);
  const held = useStore(studio.draft, ({ held }) => held.some((token) => token.position === position));
  const ownModel = useStore(studio.model, ({ name }) => name === run.trajectory.model);
  const hold = useAction(holdToken);
  if (!ownModel) return null;

  const onSubmit = async (event: FormEvent) => {
    event.preventDefault();
    if (reading) return;
    setReading(true);
    const refusal = await holdWord(studio, run, position, word).catch((error: unknown) => problemOf(error).message);
    setReading(false);
    setWrong(refusal ?? "");
    if (refusal === null) setWord("");
  };

  return (
    <div className={styles.tokenChoices}>
      <Button {...hold} className={`${styles.tokenButton} ${styles.tokenHold}`} aria-pressed={held} data-testid="hold">
        <span>{held ? words.letGo : words.holdThis}</span>
        <Shortcuts shortcuts={holdToken.shortcuts} />
      </Button>
      <form className={styles.tokenWord} onSubmit={onSubmit}>
        <label htmlFor={id}>{words.holdAnother}</label>
        <input
          id={id}
          value={word}
          autoComplete="off"
          spellCheck={false}
          aria-invalid={wrong !== ""}
          aria-describedby={wrong ? `${id}-wrong` : undefined}
          data-testid="hold-word"
          onChange={({ target }) => {
            setWord(target.value);
            setWrong("");
          }}
        />
        <Button type="submit" className={styles.tokenButton} aria-disabled={reading}>
          {reading ? "…" : words.hold}
        </Button>
      </form>
      {wrong && (
        <p className={styles.tokenWrong} id={`${id}-wrong`} role="alert">
          {wrong}
        </p>
      )}
    </div>
  );
}
