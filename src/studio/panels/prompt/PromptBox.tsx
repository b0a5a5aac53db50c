import { type SyntheticEvent, useEffect, useId, useRef } from "react";
import { useStore } from "zustand";
import { MOST_LETTERS } from "../../../flow/recipe";
import { promptTitle, readPrompt, readsText, takesPrompt, writesFreely } from "../../session/writing/prompt";
import { useStudio, useWords } from "../StudioContext";
import { Examples } from "./Examples";
import styles from "./PromptBox.module.css";

/**
 * Where the prompt of a conditional model is typed, with its length in tokens; a bar that opens where there is little room.
 * Other models have none.
 */
export function PromptBox() {
  const studio = useStudio();
  const { prompt: words, said } = useWords();
  const id = useId();
  const { prompt, promptTokens } = useStore(studio.draft, (state) => state);
  const manifest = useStore(studio.model, ({ manifest }) => manifest);
  const open = useStore(studio.view, ({ promptOpen }) => promptOpen);
  const box = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    if (open) box.current?.focus();
  }, [open]);
  if (!manifest || !takesPrompt(manifest)) return null;
  const most = manifest.architecture.maxInputLength;
  const { title, note } = promptTitle(manifest, words);
  const { why } = readPrompt(prompt, promptTokens, manifest, words);
  // An empty box has done nothing wrong yet.
  const optional = manifest.architecture.sourceOptional;
  const wrong = prompt.trim() !== "" && why !== undefined;
  // Browsers lay out what is put into a box line by line: 150,000 short lines take them minutes, and the page with them.
  const { openPrompt } = studio.view.getState();
  const takeNoBook = (event: SyntheticEvent, brought: DataTransfer) => {
    const letters = brought.getData("text/plain").length;
    if (letters <= MOST_LETTERS) return;
    event.preventDefault();
    studio.view.getState().say(said.tooManyLetters(letters));
  };
  return (
    <section
      className={styles.prompt}
      aria-label={words.label}
      data-piece="prompt"
      data-open={open || undefined}
      onKeyDown={(event) => event.key === "Escape" && openPrompt(false)}
    >
      <button
        type="button"
        className={styles.promptBar}
        aria-expanded={open}
        data-testid="prompt-bar"
        data-wrong={wrong}
        onClick={() => openPrompt(!open)}
      >
        {open ? (
          words.done
        ) : (
          <>
            <b>{title}</b> {prompt.trim() === "" ? optional && words.optional : prompt}
          </>
        )}
      </button>
      <div className={styles.promptHead}>
        <label htmlFor={id}>{title}</label>
        <span className={styles.promptCount} data-testid="prompt-count" data-over={(promptTokens ?? 0) > most}>
          {/* In one piece: a browser that translates takes pieces beside one another for its own. */}
          {writesFreely(manifest, prompt) ? words.countOptional(most) : words.count(promptTokens, most)}
        </span>
      </div>
      <textarea
        id={id}
        ref={box}
        className={styles.promptText}
        rows={3}
        value={prompt}
        placeholder={optional ? words.leaveEmpty : undefined}
        spellCheck={false}
        autoComplete="off"
        aria-invalid={wrong}
        aria-describedby={`${id}-note`}
        data-testid="prompt"
        onPaste={(event) => takeNoBook(event, event.clipboardData)}
        onDrop={(event) => takeNoBook(event, event.dataTransfer)}
        onChange={({ target }) => studio.draft.getState().setPrompt(target.value)}
      />
      {readsText(manifest) && <Examples examples={manifest.examples} />}
      <p className={styles.promptNote} data-wrong={wrong} id={`${id}-note`} aria-live="polite">
        {wrong ? why : note}
      </p>
    </section>
  );
}
