import { expect, type Locator, type Page } from "@playwright/test";
import { StudioPage } from "./studio-page";

/** The page with its shelf of models open. */
export class ModelShelfPage extends StudioPage {
  readonly shelf: Locator;

  constructor(page: Page) {
    super(page);
    this.shelf = page.getByTestId("model-shelf");
  }

  /** Without motion: the run behind the shelf would be drawn, in software, while nobody looks at it. */
  async openShelf(parameters: Record<string, string> = { backend: "wasm" }): Promise<void> {
    await this.page.emulateMedia({ reducedMotion: "reduce" });
    await this.open(parameters);
    await this.chip.click();
    await expect(this.entry(/Stories, fast/)).toBeVisible();
  }

  entry(title: RegExp | string): Locator {
    return this.shelf.getByTestId("model-entry").filter({ has: this.page.getByRole("heading", { name: title }) });
  }

  /** Looks a model up by address or hub id. */
  async lookUp(typed: string): Promise<void> {
    await this.shelf.getByRole("textbox", { name: "Hub id or address" }).fill(typed);
    await this.shelf.getByRole("button", { name: /^Look it up/ }).click();
  }

  /** Bytes in the browser's store, by name; whole files that are not what their name says are called so. */
  stored(): Promise<Record<string, number | "wrong bytes">> {
    return this.page.evaluate(async () => {
      const found: Record<string, number | "wrong bytes"> = {};
      try {
        const root = await navigator.storage.getDirectory();
        const files = await (await root.getDirectoryHandle("elf-models")).getDirectoryHandle("files");
        for await (const [name, handle] of files as unknown as AsyncIterable<[string, FileSystemFileHandle]>) {
          const bytes = await (await handle.getFile()).arrayBuffer();
          const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
          const sha256 = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
          found[name] = name.includes(".") || name === sha256 ? bytes.byteLength : "wrong bytes";
        }
      } catch {
        // Nothing was ever stored.
      }
      return found;
    });
  }

  async expectNothingWrongStored(): Promise<void> {
    expect(Object.values(await this.stored())).not.toContain("wrong bytes");
  }
}
