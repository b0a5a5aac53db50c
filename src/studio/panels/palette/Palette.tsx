import { Dialog } from "radix-ui";
import { type KeyboardEvent, useEffect, useId, useRef, useState } from "react";
import { useStore } from "zustand";
import { type Command, commandsOf, matching, obey } from "../../actions/palette";
import { useStudio, useWords } from "../StudioContext";
import { Icon } from "../ui/Icon";
import { Shortcuts } from "../ui/Shortcuts";
import { placeAfter } from "./choosing";
import styles from "./Palette.module.css";

/** Commands that stand in the list at a time. */
const MOST_SHOWN = 100;

/** Everything that can be done, found by its name. What is chosen is done when the palette is gone, and the keyboard back where it was. */
export function Palette() {
  const studio = useStudio();
  const words = useWords();
  const id = useId();
  const [query, setQuery] = useState("");
  const [at, setAt] = useState(0);
  const before = useRef<Element>(null);
  const chosen = useRef<Command>(null);
  const list = useRef<HTMLDivElement>(null);
  useStore(studio.library, ({ models }) => models);
  useStore(studio.runs, ({ runs }) => runs);
  const all = matching(commandsOf(studio), query, words);
  // A shelf of a thousand runs is a thousand commands.
  const found = all.slice(0, MOST_SHOWN);
  const more = all.length - found.length;
  const place = Math.min(at, found.length - 1);
  const { openPalette } = studio.view.getState();

  // Which models there are is asked when somebody may want to turn to one.
  useEffect(() => void studio.library.getState().refresh(), [studio]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: it is another one when they change.
  useEffect(() => {
    list.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }, [place, query]);

  const choose = (command: Command | undefined) => {
    if (!command || command.why !== null) return;
    chosen.current = command;
    openPalette(false);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return;
    const isOwn = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k";
    const next = placeAfter(event.key, place, found.length);
    if (isOwn) openPalette(false);
    else if (event.key === "Enter") choose(found[place]);
    else if (next !== undefined) setAt(next);
    else return;
    event.preventDefault();
  };

  return (
    <Dialog.Root open onOpenChange={openPalette}>
      <Dialog.Portal>
        <Dialog.Overlay className={styles.veil} />
        <Dialog.Content
          className={styles.palette}
          data-modal
          aria-describedby={undefined}
          onOpenAutoFocus={() => {
            before.current = document.activeElement;
          }}
          onCloseAutoFocus={() => {
            if (before.current instanceof HTMLElement) before.current.focus();
            if (chosen.current) obey(chosen.current, studio);
          }}
        >
          <Dialog.Title className="visually-hidden">{words.palette.title}</Dialog.Title>
          <div className={styles.field}>
            <Icon name="find" />
            <input
              type="text"
              role="combobox"
              aria-label={words.palette.field}
              aria-expanded="true"
              aria-autocomplete="list"
              aria-controls={`${id}-list`}
              aria-activedescendant={found.length > 0 ? `${id}-${place}` : undefined}
              placeholder={words.palette.field}
              autoComplete="off"
              spellCheck={false}
              value={query}
              onChange={({ target }) => {
                setQuery(target.value);
                setAt(0);
              }}
              onKeyDown={onKeyDown}
            />
            <Dialog.Close className={styles.close}>
              <kbd>Esc</kbd>
            </Dialog.Close>
          </div>
          <div className={styles.list} id={`${id}-list`} role="listbox" aria-label={words.palette.list} ref={list}>
            {found.map((command, line) => (
              // biome-ignore lint/a11y/useKeyWithClickEvents: the keyboard stays in the field, which says what is chosen.
              <div
                key={command.id}
                id={`${id}-${line}`}
                className={styles.command}
                role="option"
                tabIndex={-1}
                aria-selected={line === place}
                aria-disabled={command.why !== null}
                data-group={command.group !== found[line - 1]?.group ? words.groups[command.group] : undefined}
                onMouseDown={(event) => event.preventDefault()}
                onPointerMove={() => setAt(line)}
                onClick={() => choose(command)}
              >
                <span className={styles.label}>{command.label}</span>
                <span className={styles.note}>{command.why ?? command.note}</span>
                <Shortcuts shortcuts={command.shortcuts} />
              </div>
            ))}
          </div>
          <p className={found.length > 0 && more === 0 ? "visually-hidden" : styles.none} role="status">
            {found.length === 0
              ? words.palette.none
              : more > 0
                ? words.palette.more(more)
                : words.palette.found(found.length)}
          </p>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
