/** What of a key press tells which key was meant. */
export interface TypedKey {
  /** What it types, or its name. */
  readonly key: string;
  /** Where it is on the keyboard, by the name of what stands there on an American one. */
  readonly code?: string;
  readonly shiftKey?: boolean;
}

/** The signs among the shortcuts, by where they are on an American keyboard. */
const SIGNS: Readonly<Record<string, string>> = {
  Comma: ",",
  Period: ".",
  BracketLeft: "[",
  BracketRight: "]",
  "Shift+Slash": "?",
};

/** What input methods call a key that they have taken for themselves. */
const TAKEN = new Set(["Process", "Unidentified"]);

/**
 * The key of a shortcut that was meant, letters small. What is typed counts, so that letters stay where they are printed on
 * French or Dvorak keyboards; where that is of another script, as on Russian, Greek or Hebrew ones, the place of the key
 * does. Full-width letters of Japanese and Chinese input methods are the letters they look like.
 */
export function meantKey({ key, code = "", shiftKey = false }: TypedKey): string {
  if (TAKEN.has(key)) return keyAt(code, shiftKey) ?? key;
  const sign = [...key].length === 1 ? key.normalize("NFKC").toLowerCase() : key;
  // Names of keys, and all that is printed on an American keyboard.
  if (/^[\x20-\x7e]*$/.test(sign)) return sign;
  // A letter with an accent is on keyboards that have the others, too.
  return /\p{Script=Latin}/u.test(sign) ? sign : (keyAt(code, shiftKey) ?? sign);
}

function keyAt(code: string, shiftKey: boolean): string | undefined {
  const letter = /^Key([A-Z])$/.exec(code)?.[1];
  return letter?.toLowerCase() ?? SIGNS[shiftKey ? `Shift+${code}` : code];
}
