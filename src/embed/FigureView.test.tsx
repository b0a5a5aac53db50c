import { type ComponentChild, render } from "preact";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createStore } from "zustand/vanilla";
import { TestNode, testDocument } from "../player/testing/testNode";
import type { LoadProgress } from "../run/api";
import type { Options } from "./attributes";
import { FigureView } from "./FigureView";
import type { Figure } from "./figure";
import type { FigureState } from "./figureState";
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
  get isConnected() {
    return this.path.at(-1)?.localName === "root";
  }
  focus() {
    focused = this;
  }
  querySelectorAll() {
    return this.all(({ className }) => /figure-(generate|open)\b/.test(`${className}`));
  }
  /** As of a shadow root. */
  get activeElement() {
    return focused?.isConnected ? focused : null;
  }
}

let focused: Drawn | undefined;

let generate: ReturnType<typeof vi.fn<Figure["generate"]>>;

beforeEach(() => {
  generate = vi.fn<Figure["generate"]>(async () => ({ status: "done", text: "", seconds: 0 }));
  focused = undefined;
  vi.stubGlobal("window", globalThis);
  vi.stubGlobal(
    "document",
    testDocument((name) => new Drawn(name)),
  );
});

afterEach(() => vi.unstubAllGlobals());

/** Till what has changed is drawn; where there are no frames, views listen for changes after 35 milliseconds only. */
const soon = () => new Promise((resolve) => setTimeout(resolve, 60));

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
    isFindingPaths: false,
    typed: null,
    LensView: null,
  }));
  const root = new Drawn("root");
  const body = new Drawn("body");
  const figure = {
    state,
    generate,
    place: () => undefined,
    type: (typed: string | null) => state.setState({ typed }),
    dismiss: () => state.setState({ problem: null }),
    seat: { player: {}, words: ENGLISH },
    element: { shadowRoot: root, ownerDocument: { body, activeElement: body } },
  } as unknown as Figure;
  const find = (part: string) => root.all((node) => node.part === part)[0];
  render((<FigureView figure={figure} />) as ComponentChild, root as unknown as Element);
  await soon();
  const box = find("prompt") as TestNode;
  return {
    box,
    root,
    state,
    find,
    type: async (text: string) => {
      box.value = text;
      box.dispatchEvent(new Event("input"));
      await soon();
    },
    set: async (prompt: string) => {
      // As the figure does, see its tests.
      state.setState({ options: { ...options, prompt }, typed: null });
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

describe("the keyboard (point 11)", () => {
  const enter = (change: object) =>
    Object.assign(new Event("keydown"), { key: "Enter", keyCode: 13, isComposing: false, ...change });

  it("writes by Enter, but not by the one that ends what an input method composes", async () => {
    const { box } = await bar("A");
    box.dispatchEvent(enter({ isComposing: true }));
    box.dispatchEvent(enter({ keyCode: 229 }));
    expect(generate).not.toHaveBeenCalled();
    box.dispatchEvent(enter({}));
    expect(generate).toHaveBeenCalledTimes(1);
  });

  it("is led on where the button that it was at goes away", async () => {
    const { root, state, find } = await bar("A");
    const problem = { name: "SomeError", code: "some", message: "Some.", action: "" };
    state.setState({ problem });
    await soon();
    const dismiss = root.all((node) => node.childNodes.some((child) => child.data === ENGLISH.dismiss))[0] as Drawn;
    dismiss.focus();
    dismiss.dispatchEvent(new Event("click"));
    await soon();
    expect(focused).toBe(find("generate"));

    state.setState({ stage: "poster" });
    await soon();
    expect(focused).toBe(find("poster-button"));
    state.setState({ stage: "loading" });
    await soon();
    state.setState({ stage: "shown" });
    await soon();
    expect(focused).toBe(find("generate"));
  });

  it("is led once, and nowhere that nobody awaits", async () => {
    const { state, find } = await bar("A");
    const elsewhere = async () => {
      focused = undefined;
      state.setState({ title: "Another" });
      await soon();
      expect(focused).toBeUndefined();
    };
    (find("generate") as Drawn).focus();
    state.setState({ stage: "poster" });
    await soon();
    expect(focused).toBe(find("poster-button"));
    await elsewhere();

    (find("poster-button") as Drawn).focus();
    const { options } = state.getState();
    state.setState({ stage: "shown", options: { ...options, controls: [] } });
    await soon();
    state.setState({ options });
    await elsewhere();
  });

  it("is left where it is when it is elsewhere", async () => {
    const { state, find } = await bar("A");
    state.setState({ stage: "poster" });
    await soon();
    state.setState({ stage: "shown" });
    await soon();
    expect(find("generate")).toBeDefined();
    expect(focused).toBeUndefined();
  });
});

it("says what it is at, and not each of its bytes (point 11)", async () => {
  const { root, state } = await bar("A");
  const textOf = (node: TestNode): string => `${node.data ?? ""}${node.childNodes.map(textOf).join("")}`;
  const said = async (progress: LoadProgress) => {
    state.setState({ work: { kind: "loading", progress } });
    await soon();
    const [status, bar] = ["status", "progressbar"].map((role) => root.all((node) => node.role === role)[0]);
    return [status && textOf(status), bar && textOf(bar)];
  };
  const download = { phase: "download", files: [], totalBytes: 3e6, wait: null } as const;
  expect(await said({ phase: "manifest" })).toEqual(["Asks for the model", undefined]);
  expect(await said({ ...download, loadedBytes: 1e6 })).toEqual(["Loads the model", "1.0 of 3.0 MB"]);
  expect(await said({ ...download, loadedBytes: 2e6 })).toEqual(["Loads the model", "2.0 of 3.0 MB"]);
});
