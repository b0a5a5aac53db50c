import { describe, expect, it, vi } from "vitest";
import { type NotCopiedError, type SharingWindow, shareAddress } from "./addressBar";

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
