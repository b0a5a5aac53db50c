import { playerStyles } from "../player/styles";
import embedStyles from "./embed.css?inline";

/** One for all elements of a document; a sheet counts in the document alone that made it. */
const shared = new WeakMap<Document, CSSStyleSheet>();

/**
 * Gives a shadow root the styles of the element, by a style sheet that all elements share and that no policy forbids, and returns
 * an empty one that is its own. Browsers without those get an element, which a policy has to allow (`style-src
 * 'unsafe-inline'`), and none of their own.
 */
export function adoptStyles(root: ShadowRoot): CSSStyleSheet | undefined {
  const page = root.ownerDocument;
  const text = `${playerStyles}\n${embedStyles}`;
  try {
    const { CSSStyleSheet: Sheet } = page.defaultView ?? globalThis;
    const own = new Sheet();
    const sheet = shared.get(page) ?? new Sheet();
    if (!shared.has(page)) sheet.replaceSync(text);
    root.adoptedStyleSheets = [sheet, own];
    shared.set(page, sheet);
    return own;
  } catch {
    if (root.querySelector("style")) return undefined;
    const style = page.createElement("style");
    style.textContent = text;
    root.append(style);
    return undefined;
  }
}
