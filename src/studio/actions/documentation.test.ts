import { existsSync } from "node:fs";
import { afterEach, describe, expect, it, vi } from "vitest";
import { STOPS } from "../session/tour/stops";

/** All actions, and the way to the documentation, of a page whose build said that it lies at `address`. */
async function pageWith(address: string) {
  vi.resetModules();
  vi.stubGlobal("__DOCUMENTATION__", address);
  const { openDocumentation, documentationPage } = await import("./documentation");
  const { ACTIONS } = await import("./all");
  return { openDocumentation, documentationPage, ids: ACTIONS.map(({ id }) => id) };
}

afterEach(() => void vi.unstubAllGlobals());

describe("the way to the documentation", () => {
  it("is there where it was built with the page, in a tab of its own", async () => {
    const { openDocumentation, ids } = await pageWith("docs/index.html");
    expect(ids).toContain("open-documentation");
    const open = vi.fn();
    vi.stubGlobal("open", open);
    openDocumentation.run();
    expect(open).toHaveBeenCalledWith("docs/index.html", "_blank", "noopener");
  });

  it("leads from each stop of the tour to its chapter, which lies beside the first page", async () => {
    const { documentationPage } = await pageWith("docs/index.html");
    for (const { id } of STOPS) {
      const address = documentationPage(`how/${id}.html`);
      expect(address).toBe(`docs/how/${id}.html`);
      expect(existsSync(address.replace(/html$/, "md")), address).toBe(true);
    }
  });

  it("is nowhere else", async () => {
    const { openDocumentation, ids } = await pageWith("");
    expect(ids).not.toContain("open-documentation");
    expect(openDocumentation.enabled()).toBe(false);
  });
});
