/** The documentation as it is built: nothing stands in anybody's way on any page, and what is searched for is found offline. */
import { spawnSync } from "node:child_process";
import { cpSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, type Page, test } from "@playwright/test";
import { violations } from "./axe";
import { servePage } from "./built-page";
import { slow } from "./slow";

const root = join(import.meta.dirname, "../..");
const pages = ["", "how/", "guides/", "reference/"].flatMap((folder) =>
  readdirSync(join(root, "docs", folder))
    .filter((file) => file.endsWith(".md"))
    .map((file) => `docs/${folder}${file.replace(/\.md$/, ".html")}`),
);

/** Every run of a page stands there: one that is far from sight does not come by itself. */
async function showFigures(page: Page): Promise<void> {
  await expect(page.locator("h1").first()).toBeVisible();
  for (const figure of await page.locator("elf-playground").all()) {
    await figure.scrollIntoViewIfNeeded();
    await expect(figure.getByRole("listbox")).toBeVisible();
  }
}

test.describe("the documentation", slow("it is built first, and looked at page by page"), () => {
  test.beforeAll(() => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, "scripts", "docs.mjs")], {
      encoding: "utf8",
    });
    expect(status, `${stdout}${stderr}`).toBe(0);
  });

  for (const colorScheme of ["light", "dark"] as const) {
    test(`is for everybody, ${colorScheme}`, async ({ page }) => {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      const found: string[] = [];
      for (const address of pages) {
        await page.goto(address);
        await showFigures(page);
        found.push(...(await violations(page)).map((violation) => `${address}: ${violation}`));
      }
      expect(found).toEqual([]);
    });
  }

  test("no page is wider than a phone", async ({ page }) => {
    await page.setViewportSize({ width: 390, height: 844 });
    const wide: string[] = [];
    for (const address of pages) {
      await page.goto(address);
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      if (width > 390) wide.push(`${address}: ${width}`);
    }
    expect(wide).toEqual([]);
  });

  test("the page leads to it where it was built with it, by a link and by a key", async ({ page, context }) => {
    await page.goto("");
    await expect(page.getByRole("button", { name: "Keyboard shortcuts" })).toBeVisible();
    await expect(page.getByRole("link", { name: "Documentation" })).toHaveCount(0);

    const outDir = test.info().outputPath("site");
    const vite = join(root, "node_modules", ".bin", "vite");
    const { status, stderr } = spawnSync(vite, ["build", "--outDir", outDir, "--logLevel", "error"], {
      cwd: root,
      encoding: "utf8",
      env: { ...process.env, ELF_DOCS: "docs/index.html", ELF_BASE_MODELS: "https://models.example/" },
    });
    expect(status, stderr).toBe(0);
    cpSync(join(root, "dist", "docs"), join(outDir, "docs"), { recursive: true });
    const site = await servePage({ root, outDir });
    try {
      await page.goto(site.url);
      for (const open of [
        () => page.getByRole("link", { name: "Documentation" }).click(),
        () => page.keyboard.press("d"),
      ]) {
        const [docs] = await Promise.all([context.waitForEvent("page"), open()]);
        await expect(docs.getByRole("heading", { level: 1 })).toBeVisible();
        expect(docs.url()).toBe(`${site.url}docs/index.html`);
        await docs.close();
      }
      expect(await violations(page)).toEqual([]);
    } finally {
      await site.close();
    }
  });

  test("is searched offline", async ({ page, context }) => {
    await page.goto("docs/start.html");
    await page.getByRole("button", { name: "Search" }).first().click();
    await expect(page.locator("#localsearch-input, input[type=search]").first()).toBeVisible();
    await page.waitForLoadState("networkidle");
    await context.setOffline(true);
    await page.keyboard.type("DoesNotFitError");
    await expect(page.getByRole("option").first()).toContainText("DoesNotFitError");
  });
});
