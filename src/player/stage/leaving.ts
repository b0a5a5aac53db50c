import type { Grounds } from "../createPlayer";

/** Elements of a player on which a press leaves the card as it is: another token takes over by itself, time may go on. */
const STAYS = '[role="option"], [data-piece="readings"], [part="transport"], [data-lens]';

/**
 * Tells when somebody turns to something else than `card`: Escape wherever the keyboard is, since a card that a pointer has
 * opened holds no focus, a press, or the focus that goes elsewhere. Returns what stops it.
 */
export function watchLeaving(card: HTMLElement, grounds: Pick<Grounds, "has">, onLeave: () => void): () => void {
  const page = card.ownerDocument;
  const root = card.getRootNode();
  const isOutside = (event: Event) => {
    const path = event.composedPath();
    if (path.includes(card)) return false;
    // What happens in a shadow tree has been judged at its root; out here nobody can see where in it that was.
    if (event.currentTarget === page && root instanceof ShadowRoot && path.includes(root.host)) return false;
    const isOwn = path.some((place) => grounds.has(place));
    return !(isOwn && path.some((place) => place instanceof Element && place.matches(STAYS)));
  };
  const onFocus = (event: Event) => isOutside(event) && onLeave();
  const onPress = (event: Event) => {
    page.removeEventListener("click", onLeave);
    if (!isOutside(event)) return;
    // A finger may be about to scroll: only what becomes a press counts.
    if ((event as PointerEvent).pointerType === "touch") page.addEventListener("click", onLeave, { once: true });
    else onLeave();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    // It has done its work, and cancels nothing else.
    event.preventDefault();
    onLeave();
  };
  // Focus that moves within a shadow tree is not told outside of it.
  const places = new Set([root, page]);
  for (const place of places) {
    place.addEventListener("focusin", onFocus);
    place.addEventListener("pointerdown", onPress);
  }
  page.addEventListener("keydown", onKeyDown, true);
  return () => {
    for (const place of places) {
      place.removeEventListener("focusin", onFocus);
      place.removeEventListener("pointerdown", onPress);
    }
    page.removeEventListener("click", onLeave);
    page.removeEventListener("keydown", onKeyDown, true);
  };
}
