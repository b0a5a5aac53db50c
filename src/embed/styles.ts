import { playerStyles } from "../player/styles";
import embedStyles from "./embed.css?inline";

let shared: CSSStyleSheet | undefined;

/**
 * Gives a shadow root the styles of the element, by a style sheet that all elements share and that no policy forbids.
 * Browsers without those get an element, which a policy has to allow (`style-src 'unsafe-inline'`).
 */
export function adoptStyles(root: ShadowRoot): void {
  const text = `${playerStyles}\n${embedStyles}`;
  try {
    shared ??= sheetOf(text);
    root.adoptedStyleSheets = [shared];
  } catch {
    const style = document.createElement("style");
    style.textContent = text;
    root.append(style);
  }
}

function sheetOf(text: string): CSSStyleSheet {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(text);
  return sheet;
}
