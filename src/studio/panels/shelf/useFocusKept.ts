import { useLayoutEffect, useRef } from "react";
import { useStore } from "zustand";
import { useStudio } from "../StudioContext";

/**
 * Has the focus go on where a deletion, or taking it back, takes away what it is in: from a card to Undo, and from there to the
 * card that is back, or to the next. Whoever has no pointer would stand at the beginning of the page. The refs are for the list
 * of cards and for Undo.
 */
export function useFocusKept() {
  const { runs } = useStudio();
  const deleted = useStore(runs, ({ deleted }) => deleted);
  const list = useRef<HTMLUListElement>(null);
  const undo = useRef<HTMLButtonElement>(null);
  /** The place on the shelf of what was deleted last. */
  const place = useRef(0);
  /** Set while the focus is about to be lost: whether it is a keyboard's, and the run that may come back. */
  const leaving = useRef<{ readonly byKeyboard: boolean; readonly id: string | undefined }>(null);

  useLayoutEffect(
    () =>
      // Told before any of it is drawn.
      runs.subscribe((now, before) => {
        if (now.deleted?.id === before.deleted?.id) return;
        const { deleted: gone } = now;
        if (gone) place.current = before.runs.findIndex(({ id }) => id === gone.id);
        const goes = gone ? list.current?.children[place.current] : undo.current;
        const focused = document.activeElement;
        const byKeyboard = focused?.matches(":focus-visible") ?? false;
        leaving.current = goes?.contains(focused) ? { byKeyboard, id: before.deleted?.id } : null;
      }),
    [runs],
  );

  useLayoutEffect(() => {
    const left = leaving.current;
    leaving.current = null;
    if (!left) return;
    const { runs: shelf } = runs.getState();
    const back = shelf.findIndex(({ id }) => id === left.id);
    const card = list.current?.children[back < 0 ? Math.min(place.current, shelf.length - 1) : back];
    // Under a pointer the page stays where it is.
    (deleted ? undo.current : card?.querySelector("button"))?.focus({ preventScroll: !left.byKeyboard });
  }, [deleted, runs]);

  return { list, undo };
}
