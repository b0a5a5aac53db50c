import { afterEach, describe, expect, it, vi } from "vitest";

/** All actions, and the way to the documentation, of a page whose build said that it lies at `address`. */
async function pageWith(address: string) {
  vi.resetModules();
  vi.stubGlobal("__DOCUMENTATION__", address);
  const { openDocumentation } = await import("./documentation");
  const { ACTIONS } = await import("./all");
  return { openDocumentation, ids: ACTIONS.map(({ id }) => id) };
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

  it("is nowhere else", async () => {
    const { openDocumentation, ids } = await pageWith("");
    expect(ids).not.toContain("open-documentation");
    expect(openDocumentation.enabled()).toBe(false);
  });
});
