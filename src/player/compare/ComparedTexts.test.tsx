import { type ComponentChild, render } from "preact";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { StoreApi } from "zustand/vanilla";
import { createPlayer, type Player } from "../createPlayer";
import { PlayerProvider, useGround, usePlayer } from "../PlayerContext";
import { watchLeaving } from "../stage/leaving";
import { shownRunOf } from "../testing/runs";
import { TestNode, testDocument } from "../testing/testNode";
import { ComparedTexts } from "./ComparedTexts";

// Drawn by preact, which asks so little of a document that one can be made here: what is looked at is which elements a text's
// card takes for its own, and those are known by refs.
vi.mock("react", () => import("preact/compat"));
vi.mock("react/jsx-runtime", () => import("preact/jsx-runtime"));
vi.mock("react/jsx-dev-runtime", () => import("preact/jsx-runtime"));
vi.mock("zustand", async () => {
  const { useSyncExternalStore } = await import("preact/compat");
  return {
    useStore: (store: StoreApi<unknown>, select = (state: unknown) => state) =>
      useSyncExternalStore(store.subscribe, () => select(store.getState())),
  };
});
vi.mock("../stage/TokenFlow", () => ({ TokenFlow: () => <div role="option" tabIndex={-1} /> }));
/** The players that the cards of the texts have, in the texts' order. */
const owns: Player[] = vi.hoisted(() => []);
vi.mock("../stage/TokenCard", () => ({
  TokenCard: () => {
    owns.push(usePlayer());
    return <div role="dialog" />;
  },
}));

/** An element with what `watchLeaving` asks of it. */
class Drawn extends TestNode {
  get ownerDocument() {
    return page;
  }
  getRootNode() {
    return page;
  }
  /** Of the selectors that `watchLeaving` has, those for what is drawn here. */
  matches() {
    return this.role === "option" || this.part === "transport";
  }
}

let page: EventTarget;

/** Something happens at an element, and the page hears of it. */
function happens(type: "focusin" | "pointerdown", at: TestNode | undefined): void {
  const event = new Event(type);
  event.composedPath = () => at?.path ?? [];
  page.dispatchEvent(event);
}

function Transport() {
  return <section part="transport" ref={useGround()} />;
}

beforeEach(() => {
  page = Object.assign(
    new EventTarget(),
    testDocument((name) => new Drawn(name)),
  );
  vi.stubGlobal("document", page);
  vi.stubGlobal("Element", Drawn);
  vi.stubGlobal("ShadowRoot", class {});
  owns.length = 0;
  return () => vi.unstubAllGlobals();
});

describe("the card of a compared text", () => {
  /** Two texts and the transport of both; a card is open in the first. */
  function opened() {
    const leader = createPlayer({ run: shownRunOf(["▁the", "▁cat"]) });
    const runs = ["one", "other"].map((label) => ({ label, run: shownRunOf(["▁the", "▁cat"], { id: label }) }));
    const root = new Drawn("div");
    const drawn = (
      <PlayerProvider value={leader}>
        <ComparedTexts runs={runs} isMarked={false} />
        <Transport />
      </PlayerProvider>
    );
    render(drawn as ComponentChild, root as unknown as Element);
    const [card] = root.all(({ role }) => role === "dialog");
    const [transport] = root.all(({ part }) => part === "transport");
    const leave = vi.fn();
    watchLeaving(card as unknown as HTMLElement, (owns[0] as Player).grounds, leave);
    return { tokens: root.all(({ role }) => role === "option"), transport, leave };
  }

  it("stays while another token of its text is turned to, which takes it over by itself", () => {
    const { tokens, leave } = opened();
    happens("focusin", tokens[0]);
    happens("pointerdown", tokens[0]);
    expect(leave).not.toHaveBeenCalled();
  });

  it("stays while time is moved, by the transport that all texts have in common", () => {
    const { transport, leave } = opened();
    happens("focusin", transport);
    happens("pointerdown", transport);
    expect(leave).not.toHaveBeenCalled();
  });

  it.each([
    "focusin",
    "pointerdown",
  ] as const)("goes with a %s at a token of another text, which has its own", (type) => {
    const { tokens, leave } = opened();
    happens(type, tokens[1]);
    expect(leave).toHaveBeenCalledOnce();
  });
});

it("each text stays what it is where one before it goes, though their labels may say the same", () => {
  const leader = createPlayer({ run: shownRunOf(["▁the", "▁cat"]) });
  const runs = ["a", "b", "c"].map((id) => ({ label: "the same", run: shownRunOf(["▁the", "▁cat"], { id }) }));
  const root = new Drawn("div");
  const drawn = (shown: typeof runs) => {
    owns.length = 0;
    const texts = (
      <PlayerProvider value={leader}>
        <ComparedTexts runs={shown} isMarked={false} />
      </PlayerProvider>
    );
    render(texts as ComponentChild, root as unknown as Element);
    return [...owns];
  };
  const [, ...others] = drawn(runs);
  expect(others).toHaveLength(2);
  const left = drawn(runs.slice(1));
  expect(left.map((player) => others.indexOf(player))).toEqual([0, 1]);
  expect(root.all(({ localName }) => localName === "section")).toHaveLength(2);
});
