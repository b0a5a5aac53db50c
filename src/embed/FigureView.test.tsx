import { type ComponentChild, render } from "preact";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createStore } from "zustand/vanilla";
import { TestNode, testDocument } from "../player/testing/testNode";
import type { Options } from "./attributes";
import { FigureView } from "./FigureView";
import type { Figure, FigureState } from "./figure";
import { ENGLISH } from "./words";

// As the element is built: by preact, which asks so little of a document that one can be made here.
vi.mock("react", () => import("preact/compat"));
vi.mock("react/jsx-runtime", () => import("preact/jsx-runtime"));
vi.mock("react/jsx-dev-runtime", () => import("preact/jsx-runtime"));
vi.mock("zustand", async () => {
  const { useSyncExternalStore } = await import("preact/compat");
  return { useStore: (store: Figure["state"]) => useSyncExternalStore(store.subscribe, store.getState) };
});
vi.mock("../player/PlayerView", () => ({ PlayerView: () => null }));

/** An element as its reader uses it. */
class Drawn extends TestNode {
  onclick = null;
  oninput = null;

  contains() {
    return true;
  }
}

let generate: ReturnType<typeof vi.fn<Figure["generate"]>>;

beforeEach(() => {
  generate = vi.fn<Figure["generate"]>(async () => ({ status: "done", text: "", seconds: 0 }));
  vi.stubGlobal("window", globalThis);
  vi.stubGlobal(
    "document",
    testDocument((name) => new Drawn(name)),
  );
});

afterEach(() => vi.unstubAllGlobals());

/** Till what has changed is drawn. */
const soon = () => new Promise((resolve) => setTimeout(resolve, 20));

/** The bar below the text, as a reader uses it. */
async function bar(prompt: string) {
  const options = {
    model: "tiny",
    prompt,
    controls: ["generate", "prompt"],
    lens: "text",
  } as Partial<Options> as Options;
  const state = createStore<FigureState>()(() => ({
    stage: "shown",
    problem: null,
    work: { kind: "none" },
    options,
    title: "",
    isLasting: null,
  }));
  const figure = { state, generate, place: () => undefined, seat: { player: {}, words: ENGLISH } } as unknown as Figure;
  const root = new Drawn("div");
  const find = (part: string) => root.all((node) => node.part === part)[0];
  render((<FigureView figure={figure} />) as ComponentChild, root as unknown as Element);
  await soon();
  const box = find("prompt") as TestNode;
  return {
    box,
    type: async (text: string) => {
      box.value = text;
      box.dispatchEvent(new Event("input"));
      await soon();
    },
    set: async (prompt: string) => {
      state.setState({ options: { ...options, prompt } });
      await soon();
    },
    /** Presses Generate, and returns the prompt that is written to: what is not said is the attribute's. */
    press: () => {
      find("generate")?.dispatchEvent(new Event("click"));
      return generate.mock.lastCall?.[0]?.prompt ?? state.getState().options.prompt;
    },
  };
}

describe("the prompt in the bar (point 7)", () => {
  it("is the attribute's, until the reader types another", async () => {
    const { box, type, press } = await bar("A");
    expect(box.value).toBe("A");
    expect(press()).toBe("A");
    await type("typed");
    expect(press()).toBe("typed");
  });

  it("is the one that the page has set since, whatever was typed before", async () => {
    const { box, type, set, press } = await bar("A");
    await set("B");
    expect(box.value).toBe("B");
    expect(press()).toBe("B");
    await type("typed");
    await set("C");
    expect(box.value).toBe("C");
    expect(press()).toBe("C");
  });

  it("is none where the reader has cleared the box", async () => {
    const { box, type, press } = await bar("A");
    await type("");
    expect(box.value).toBe("");
    expect(press()).toBe("");
  });
});
