/** Keys that are down and were kept, by where they are on the keyboard: what is typed by a key changes while it is down. */
const kept = new Set<string>();

/** Keys that edit a line of text, beside those that type a letter. */
const EDITS = /^(?:Backspace|Delete|Arrow\w+|Home|End|Enter)$/;

/**
 * Keeps the keys that are used in the figure from the page around, which may have shortcuts of its own: to that, all of it is
 * one element, and it cannot see that something is typed or pressed there.
 */
export function keepOwnKeys(event: Event): void {
  const press = event as KeyboardEvent;
  const target = press.target as Element;
  // What the page has put into the slots is its own.
  if (target.getRootNode() !== press.currentTarget) return;
  const { type, code, key } = press;
  if (type === "keydown") {
    const isUsed = target.matches("button") ? key === " " || key === "Enter" : target.matches("input") && types(press);
    if (isUsed || press.defaultPrevented) kept.add(code);
    else kept.delete(code);
  }
  if (kept.has(code)) press.stopPropagation();
  if (type === "keyup") kept.delete(code);
}

/** Whether a key changes a line of text, or goes through it. AltGr, which some call Ctrl and Alt, and Option type letters, too. */
function types(press: KeyboardEvent): boolean {
  const { key, ctrlKey, metaKey, altKey } = press;
  if (EDITS.test(key)) return true;
  const isShortcut = ctrlKey || metaKey || (altKey && /\w/.test(key));
  // Browsers that fill a line in tell of a key without a name.
  return /^.$/su.test(key) && (!isShortcut || press.getModifierState("AltGraph"));
}
