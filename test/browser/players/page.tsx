/** Two players over two recorded runs, as a page that is not the studio would have them: one of them in a shadow root. */
import { createRoot } from "react-dom/client";
import storiesTrace from "../../../public/traces/stories.json?raw";
import translationTrace from "../../../public/traces/translate-de-en.json?raw";
import { readTrace } from "../../../src/format/trace";
import { createPlayer } from "../../../src/player/createPlayer";
import { PlayerView } from "../../../src/player/PlayerView";
import "../../../src/player/player.css";
import { recordedRun } from "../../../src/player/run/run";
import { playerStyles } from "../../../src/player/styles";

function show(place: Element | ShadowRoot, label: string, trace: string): void {
  const player = createPlayer({
    run: recordedRun(label, readTrace(trace)),
    visibility: document,
    motion: matchMedia("(prefers-reduced-motion: reduce)"),
  });
  createRoot(place).render(<PlayerView player={player} label={label} />);
}

function placeOf(name: string): Element {
  const place = document.querySelector(`[data-testid=${name}]`);
  if (!place) throw new Error(`The page has no place ${name}.`);
  return place;
}

function shadowIn(host: Element): ShadowRoot {
  const shadow = host.attachShadow({ mode: "open" });
  const styles = new CSSStyleSheet();
  styles.replaceSync(playerStyles);
  shadow.adoptedStyleSheets = [styles];
  return shadow;
}

show(placeOf("light"), "A story", storiesTrace);
show(shadowIn(placeOf("shadow")), "A translation", translationTrace);
