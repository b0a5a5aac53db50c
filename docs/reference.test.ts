/** The reference says what the code says: each page is made of it and held to it. `npm run docs -- reference` writes them. */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { apiPage } from "./reference/writers/api";
import { commandPage } from "./reference/writers/command";
import { errorsPage } from "./reference/writers/errors";
import { modelsPage, parityPart } from "./reference/writers/models";
import { formatsPage, schemaFiles } from "./reference/writers/schemas";
import { settingsPage } from "./reference/writers/settings";

const here = (path: string) => join(import.meta.dirname, path);

describe("the reference", () => {
  it.each([
    ["errors.md", errorsPage],
    ["files.md", formatsPage],
    ["settings.md", settingsPage],
    ["models.md", modelsPage],
    ["command.md", commandPage],
  ] as const)("%s is what the code says", async (name, write) => {
    await expect(await write()).toMatchFileSnapshot(here(`reference/${name}`));
  });

  it.each(Object.entries(schemaFiles()))("the schema %s is that by which the code reads", async (name, text) => {
    await expect(text).toMatchFileSnapshot(here(`public/schema/${name}`));
  });

  it("parity is that of the models that ship", async () => {
    await expect(parityPart()).toMatchFileSnapshot(here("parts/parity.md"));
  });

  it("package.md has everything that is exported, and no export is without a word", async () => {
    const { text, undocumented } = apiPage();
    await expect(text).toMatchFileSnapshot(here("reference/package.md"));
    expect(undocumented).toEqual([]);
  }, 120_000);
});
