import { useId, useRef, useState } from "react";
import { useStore } from "zustand";
import { type ModelSource, readSource } from "../../../delivery/sources";
import { Button } from "../../../player/ui/Button";
import { useStudio, useWords } from "../StudioContext";
import styles from "./ModelShelf.module.css";
import { pickedFiles } from "./placedFiles";
import { hostSentence } from "./words";

/** Where a model from elsewhere is named: by address, hub id or folder. Says whom it will ask before it asks. */
export function AddModel() {
  const studio = useStudio();
  const words = useWords();
  const { models } = words;
  const looking = useStore(studio.library, ({ looking }) => looking);
  const [typed, setTyped] = useState("");
  const picker = useRef<HTMLInputElement>(null);
  const note = useId();
  const source = sourceOrNull(typed);
  return (
    <section className={styles.modelsAdd} aria-label={models.add}>
      <h3>{models.add}</h3>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void studio.library.getState().add(typed);
        }}
      >
        <label>
          <span>{models.hubOrAddress}</span>
          <input
            type="text"
            value={typed}
            placeholder={models.hubOrAddressLike}
            spellCheck={false}
            autoCapitalize="none"
            autoComplete="off"
            aria-describedby={note}
            onChange={({ target }) => setTyped(target.value)}
          />
        </label>
        <Button type="submit" aria-disabled={typed.trim() === "" || looking !== null}>
          {source?.host ? models.lookUpAt(source.host) : models.lookUp}
        </Button>
      </form>
      <p id={note} className={styles.modelsNote}>
        {source ? hostSentence(source, words) : models.nothingAsked}
      </p>
      <div className={styles.modelsFolder}>
        <Button onClick={() => picker.current?.click()}>{models.chooseFolder}</Button>
        <span>{models.orDrop}</span>
        <input
          ref={picker}
          type="file"
          hidden
          multiple
          data-testid="model-folder"
          {...{ webkitdirectory: "" }}
          onChange={({ target }) => {
            if (target.files?.length) void studio.library.getState().addFiles(pickedFiles(target.files));
            // So that the same folder can be chosen again.
            target.value = "";
          }}
        />
      </div>
      {looking !== null && (
        <p className={styles.modelsNote} role="status">
          <span>{models.looking(looking)}</span>{" "}
          <button type="button" className={styles.modelsLink} onClick={() => void studio.library.getState().cancel()}>
            {models.cancel}
          </button>
        </p>
      )}
    </section>
  );
}

function sourceOrNull(typed: string): ModelSource | null {
  try {
    return readSource(typed, document.baseURI);
  } catch {
    // Not finished yet, or wrong; the button's answer says what is.
    return null;
  }
}
