import { renderToStaticMarkup } from "react-dom/server";
import { expect, it } from "vitest";
import { createStore } from "zustand/vanilla";
import { createPlayer } from "../player/createPlayer";
import { LensView } from "../player/lenses/LensView";
import { ENGLISH_LENSES } from "../player/lenses/words";
import { shownRunOf } from "../player/testing/runs";
import { FigureView } from "./FigureView";
import type { Figure } from "./figure";
import { ENGLISH } from "./words";

/** What an element shows of a run without paths. */
function drawn(isFindingPaths: boolean): string {
  const player = createPlayer({ run: shownRunOf(["▁the", "▁cat"]) });
  const options = { model: "", controls: [], lens: "paths" };
  const state = createStore(() => ({ stage: "shown", problem: null, work: { kind: "none" }, options, title: "" }));
  Object.assign(state.getState(), { LensView, isFindingPaths });
  for (const store of Object.values(player)) {
    // What is drawn without a browser is drawn from how a store began.
    if (typeof store === "object" && "getInitialState" in store) store.getInitialState = store.getState;
  }
  const figure = { state, element: {}, seat: { player, words: ENGLISH } } as unknown as Figure;
  return renderToStaticMarkup(<FigureView figure={figure} />);
}

it("paths that are asked for are on their way, and not told to be lacking (point 7)", () => {
  const lacking = ENGLISH_LENSES.missing("paths");
  expect(drawn(false)).toContain(lacking);
  expect(drawn(true)).not.toContain(lacking);
  expect(drawn(true)).toContain(ENGLISH.lensComes);
});
