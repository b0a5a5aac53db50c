import { describe, expect, it, vi } from "vitest";
import { recipeOf } from "../../flow/recipe";
import { linkTo } from "../../format/link";
import { FakeEngine, MANIFEST } from "../testing/fakeEngine";
import { runOf } from "../testing/runs";
import { testStudio } from "../testing/studio";
import { followTurns, type NotCopiedError, type SharingWindow, shareAddress } from "./addressBar";

const denied = () => {
  throw new DOMException("Not allowed", "NotAllowedError");
};

interface Allowed {
  readonly history?: boolean;
  readonly clipboard?: "missing" | "denied";
  readonly command?: boolean;
  readonly framed?: boolean;
}

function pageOf({ history = true, clipboard, command = false, framed = false }: Allowed) {
  const copied: string[] = [];
  const field = { value: "", style: {}, select: () => {}, remove: vi.fn() };
  const page = {
    history: { replaceState: history ? () => {} : denied },
    navigator:
      clipboard === "missing"
        ? {}
        : {
            clipboard: { writeText: clipboard ? async () => denied() : async (text: string) => void copied.push(text) },
          },
    document: {
      createElement: () => field,
      body: { append: () => {} },
      activeElement: null,
      execCommand: () => command && copied.push(field.value) > 0,
    },
  };
  vi.stubGlobal("HTMLElement", class {});
  return {
    copied,
    field,
    page: {
      ...page,
      get top() {
        return framed ? {} : this;
      },
    } as unknown as SharingWindow,
  };
}

describe("the address after a turn to another model", () => {
  const run = runOf(["▁a"], { id: "a" });
  const recipe = recipeOf(run.trajectory);
  const hash = linkTo(recipe);
  function barOf() {
    const { studio } = testStudio({ engine: new FakeEngine() });
    const location = { href: `https://page/?model=test&experiment=steps${hash}` };
    const replaceState = (_: unknown, __: string, href: string) => {
      location.href = href;
    };
    followTurns(studio, { location, history: { replaceState } } as unknown as Parameters<typeof followTurns>[1]);
    const turn = (name: string) => {
      const { choice, choose } = studio.model.getState();
      choose({ ...choice }, { ...MANIFEST, name });
    };
    return { studio, location, turn };
  }

  it("has neither the model nor a run of it", () => {
    const { studio, location, turn } = barOf();
    studio.model.getState().describe(MANIFEST);
    turn("other");
    expect(location.href).toBe("https://page/");
  });

  it("keeps the run where the model of the last visit comes before any other was opened", () => {
    const { location, turn } = barOf();
    turn("other");
    expect(new URL(location.href).hash).toBe(hash);
  });

  it("keeps the run where an experiment goes through several models", () => {
    const { studio, location, turn } = barOf();
    studio.model.getState().describe(MANIFEST);
    const members = [MANIFEST.name, "other"].map((model) => ({ label: () => "", recipe, model }));
    const said = () => "";
    const shown = { title: said, about: said, model: MANIFEST.name, members, isMarked: false, origin: null };
    studio.comparison.setState({ shown });
    turn("other");
    turn(MANIFEST.name);
    expect(new URL(location.href).hash).toBe(hash);
  });
});

describe("sharing an address", () => {
  it.each<[Allowed, string]>([
    [{}, "copied"],
    [{ history: false }, "copied"],
    [{ clipboard: "missing", command: true }, "copied"],
    [{ clipboard: "denied", command: true, framed: true }, "copied"],
    [{ clipboard: "missing" }, "in-bar"],
    [{ clipboard: "denied" }, "in-bar"],
    [{ clipboard: "denied", history: false }, "nowhere"],
    [{ clipboard: "denied", framed: true }, "nowhere"],
  ])("goes as far as the browser lets it: %j", async (allowed, where) => {
    const { page, copied, field } = pageOf(allowed);
    const shared = await shareAddress("https://page/#run", page).catch((error: NotCopiedError) => error);
    expect((shared as NotCopiedError | undefined)?.href).toBe(where === "copied" ? undefined : "https://page/#run");
    expect((shared as NotCopiedError | undefined)?.isInBar).toBe(where === "copied" ? undefined : where === "in-bar");
    expect(copied).toEqual(where === "copied" ? ["https://page/#run"] : []);
    if (allowed.clipboard) expect(field.remove).toHaveBeenCalled();
    vi.unstubAllGlobals();
  });
});
