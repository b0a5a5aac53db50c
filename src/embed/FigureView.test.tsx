import { type ComponentChild, render } from "preact";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createStore } from "zustand/vanilla";
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

/** As much of an element, or of a text, as preact asks for. */
class TestNode extends EventTarget {
  [name: string]: unknown;
  readonly nodeType = 1;
  readonly namespaceURI = "http://www.w3.org/1999/xhtml";
  readonly style = {};
  readonly attributes: unknown[] = [];
  parentNode: TestNode | null = null;
  childNodes: TestNode[] = [];
  onclick = null;
  oninput = null;

  constructor(readonly localName: string) {
    super();
  }
  get firstChild(): TestNode | null {
    return this.childNodes[0] ?? null;
  }
  get nextSibling(): TestNode | null {
    const { childNodes = [] } = this.parentNode ?? {};
    return childNodes[childNodes.indexOf(this) + 1] ?? null;
  }
  insertBefore(child: TestNode, before: TestNode | null) {
    child.remove();
    const at = before ? this.childNodes.indexOf(before) : this.childNodes.length;
    this.childNodes.splice(at, 0, child);
    child.parentNode = this;
  }
  remove() {
    this.parentNode?.childNodes.splice(this.parentNode.childNodes.indexOf(this), 1);
    this.parentNode = null;
  }
  setAttribute(name: string, value: string) {
    this[name] = value;
  }
  removeAttribute(name: string) {
    delete this[name];
  }
  contains() {
    return true;
  }
  /** The element of a part. */
  find(part: string): TestNode | undefined {
    if (this.part === part) return this;
    for (const child of this.childNodes) {
      const found = child.find(part);
      if (found) return found;
    }
    return undefined;
  }
}

let generate: ReturnType<typeof vi.fn<Figure["generate"]>>;

beforeEach(() => {
  generate = vi.fn<Figure["generate"]>(async () => ({ status: "done", text: "", seconds: 0 }));
  vi.stubGlobal("window", globalThis);
  vi.stubGlobal("document", {
    createElement: (name: string) => new TestNode(name),
    createElementNS: (_: string, name: string) => new TestNode(name),
    createTextNode: () => new TestNode("#text"),
  });
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
  const root = new TestNode("div");
  render((<FigureView figure={figure} />) as ComponentChild, root as unknown as Element);
  await soon();
  const box = root.find("prompt") as TestNode;
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
      root.find("generate")?.dispatchEvent(new Event("click"));
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
