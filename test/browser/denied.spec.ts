/**
 * Every storage, lock and permission of the browser, denied one by one and all together. What the page then does stands in
 * docs/denied.md, a row for each, and has to be what is measured here. To write the rows anew, all in one run:
 * `npx playwright test denied --update-snapshots`.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, type FrameLocator, type Page, test } from "@playwright/test";
import { DENIALS, deny } from "./denials";
import { NastyServer } from "./nasty-server";
import { slow } from "./slow";

const TABLE = join(import.meta.dirname, "../../docs/denied.md");
const HEAD = "| denied | what went well | what lasts for the visit only | a link is |\n|---|---|---|---|\n";

/** What holds the page: a window, or a frame in one. */
type Place = Page | FrameLocator;

const rows: string[] = [];

/** Looks at the recorded run and at the shelf of models. */
async function look(place: Place): Promise<string> {
  await expect(place.getByTestId("stage-text")).not.toBeEmpty();
  await place.getByTestId("model-chip").click();
  await expect(place.getByTestId("model-entry").first()).toBeVisible();
  await place.getByRole("dialog").press("Escape");
  return "plays, lists models";
}

/** Writes a text with a small model, or reads what the page says in its place. */
async function write(place: Place): Promise<string> {
  const steps = place.getByRole("textbox", { name: "Steps" });
  await steps.fill("2");
  await steps.press("Enter");
  await place.getByTestId("generate").click();
  const problem = place.getByTestId("problem-message");
  await expect(place.getByTestId("readout").filter({ hasText: "step 2 of 2" }).or(problem)).toBeVisible();
  if ((await problem.count()) === 0) return "writes";
  // What follows a colon is in the browser's own words.
  return `nothing: “${(await problem.textContent())?.replace(/:.*/, "")}”`;
}

const NOTICES: Readonly<Record<string, string>> = {
  "The link is copied. It tells how this run is written, and no more.": "copied",
  "The link stands in the address bar, to be copied from there.": "in the address bar",
};

async function copyLink(place: Place): Promise<string> {
  await place.getByRole("button", { name: "Copy a link to this run" }).click();
  const notice = place.getByTestId("notice");
  await expect(notice).not.toBeEmpty();
  const said = (await notice.textContent()) ?? "";
  return NOTICES[said] ?? said.replace(/^This browser lets nothing be copied here\. The link: http.*/, "shown");
}

async function notLasting(place: Place): Promise<string> {
  const said = (await place.getByTestId("keeping").textContent()) ?? "";
  return said.replace(/^This browser keeps no (.+) of this page: they last until it is closed\.$/, "$1") || "–";
}

/** Visits the page, makes a row of that and holds it to the one that is written down. */
async function holdRow(denied: string, place: Place, visit: (place: Place) => Promise<string>): Promise<void> {
  await expect(place.getByTestId("generate")).toBeVisible();
  const went = await visit(place);
  const link = went.startsWith("nothing") ? "–" : await copyLink(place);
  const row = `| ${[denied, went, await notLasting(place), link].join(" | ")} |`;
  rows.push(row);
  if (!isUpdating()) expect(readFileSync(TABLE, "utf8")).toContain(`\n${row}\n`);
}

function isUpdating(): boolean {
  return ["all", "changed"].includes(test.info().config.updateSnapshots);
}

/** What the page throws where nobody catches it. */
function faultsOf(page: Page): string[] {
  const faults: string[] = [];
  page.on("pageerror", ({ message }) => faults.push(message));
  return faults;
}

const WRITING = "?backend=wasm&model=tiny-model";

for (const { name, script, computes } of DENIALS) {
  test(
    `denied: ${name}`,
    name.startsWith("all of them") ? {} : slow("a visit for each, beside those for all"),
    async ({ page }) => {
      const faults = faultsOf(page);
      await page.emulateMedia({ reducedMotion: "reduce" });
      await deny(page, script);
      await page.goto(computes ? WRITING : "?");
      await holdRow(name, page, computes ? write : look);
      expect(faults).toEqual([]);
    },
  );
}

/** Those that a person can make in the browser, which denies what it will. */
const SETTINGS = [
  { name: "cookies, by the browser's settings", preferences: { default_content_setting_values: { cookies: 2 } } },
  { name: "cookies of other sites; the page in a frame", preferences: { cookie_controls_mode: 1 }, isFramed: true },
];

for (const { name, preferences, isFramed = false } of SETTINGS) {
  test(`denied: ${name}`, async ({ playwright, launchOptions, baseURL }) => {
    const profile = mkdtempSync(join(tmpdir(), "elf-denied-"));
    mkdirSync(join(profile, "Default"));
    writeFileSync(join(profile, "Default", "Preferences"), JSON.stringify({ profile: preferences }));
    // By its number it is another site to the browser, which knows the page's by its name.
    const other = new NastyServer(new Map());
    // The headless shell has no settings. Playwright's own Chromium, where no other is named, is taken in its place.
    const { executablePath, ...options } = launchOptions;
    const program = process.env.CHROMIUM ?? executablePath;
    const browser = await playwright.chromium.launchPersistentContext(profile, {
      ...options,
      ...(program ? { executablePath: program } : { channel: "chromium" }),
    });
    try {
      const page = await browser.newPage();
      const faults = faultsOf(page);
      const address = new URL(WRITING, baseURL).href;
      const frame = Buffer.from(`<iframe src="${address}" style="width: 1200px; height: 800px"></iframe>`);
      other.treat(() => ({ odd: { status: 200, headers: { "Content-Type": "text/html" }, body: frame } }));
      await page.goto(isFramed ? await other.start() : address);
      await holdRow(name, isFramed ? page.frameLocator("iframe") : page, write);
      expect(faults).toEqual([]);
    } finally {
      await browser.close();
      if (isFramed) await other.stop();
      rmSync(profile, { recursive: true, force: true });
    }
  });
}

test.afterAll(() => {
  if (!isUpdating()) return;
  const [before, after = ""] = readFileSync(TABLE, "utf8").split(HEAD);
  writeFileSync(TABLE, `${before}${HEAD}${rows.join("\n")}\n${after.replace(/^(\|.*\n)*/, "")}`);
});

test("the table has no other rows", () => {
  const [, after = ""] = readFileSync(TABLE, "utf8").split(HEAD);
  const names = [...after.matchAll(/^\| (.*?) \|/gm)].map(([, name]) => name);
  if (!isUpdating()) expect(names).toEqual([...DENIALS, ...SETTINGS].map(({ name }) => name));
});
