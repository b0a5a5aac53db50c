import { useId, useRef, useState } from "react";
import { useStore } from "zustand";
import { type ModelSource, readSource } from "../../../delivery/sources";
import { Button } from "../../../player/ui/Button";
import { useStudio } from "../StudioContext";
import styles from "./ModelShelf.module.css";
import { pickedFiles } from "./placedFiles";
import { hostSentence } from "./words";

/** Where a model from elsewhere is named: by address, hub id or folder. Says whom it will ask before it asks. */
export function AddModel() {
  const studio = useStudio();
  const looking = useStore(studio.library, ({ looking }) => looking);
  const [typed, setTyped] = useState("");
  const picker = useRef<HTMLInputElement>(null);
  const note = useId();
  const source = sourceOrNull(typed);
  return (
    <section className={styles.modelsAdd} aria-label="Add a model">
      <h3>Add a model</h3>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void studio.library.getState().add(typed);
        }}
      >
        <label>
          <span>Hub id or address</span>
          <input
            type="text"
            value={typed}
            placeholder="owner/name, owner/name@revision or https://…"
            spellCheck={false}
            autoCapitalize="none"
            autoComplete="off"
            aria-describedby={note}
            onChange={({ target }) => setTyped(target.value)}
          />
        </label>
        <Button type="submit" aria-disabled={typed.trim() === "" || looking !== null}>
          {source?.host ? `Look it up at ${source.host}` : "Look it up"}
        </Button>
      </form>
      <p id={note} className={styles.modelsNote}>
        {source ? hostSentence(source) : "Nothing is asked before you press the button."}
      </p>
      <div className={styles.modelsFolder}>
        <Button onClick={() => picker.current?.click()}>Choose a folder…</Button>
        <span>or drop one anywhere on the page. It stays on this device.</span>
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
          <span>{`Looking at ${looking}…`}</span>{" "}
          <button type="button" className={styles.modelsLink} onClick={() => void studio.library.getState().cancel()}>
            Cancel
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
