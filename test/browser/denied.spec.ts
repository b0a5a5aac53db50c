import { expect, type Page, test } from "@playwright/test";
import { ALL_DENIED, DENIALS, type Denial } from "./denials";
import { StudioPage } from "./studio-page";

/** Has the browser refuse things from its first line on, in the page and in its workers. */
async function deny(page: Page, { script }: Denial): Promise<void> {
  await page.addInitScript(script);
  await page.route(/\/assets\/(libraryWorker|worker)-[^/]*\.js$/, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: `${script}\n${await response.text()}` });
  });
}

/** What a visitor does: looks, writes, looks at the models, shares. */
async function visit(page: Page): Promise<StudioPage> {
  const studio = new StudioPage(page);
  await studio.open({ model: "tiny-model", backend: "wasm" });
  await studio.set("Steps", 2);
  expect((await studio.write()).length).toBeGreaterThan(0);
  await page.getByRole("button", { name: "Copy a link to this run" }).click();
  await expect(page.getByTestId("notice")).toContainText("link");
  await studio.chip.click();
  await expect(page.getByTestId("model-entry").first()).toBeVisible();
  return studio;
}

for (const denial of [...DENIALS, ...ALL_DENIED]) {
  test(`writes where ${denial.name}`, async ({ page }) => {
    await deny(page, denial);
    const studio = await visit(page);
    expect(studio.faults).toEqual([]);
  });
}
