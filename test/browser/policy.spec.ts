import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, type Page, test } from "@playwright/test";
import { ModelShelfPage } from "./model-shelf-page";
import { writeFew } from "./runs";
import { StudioPage } from "./studio-page";

const hosting = readFileSync(join(import.meta.dirname, "../../docs/hosting.md"), "utf8");
/** The policy that the notes on hosting recommend. */
const POLICY = /^Content-Security-Policy: (.+)$/m.exec(hosting)?.[1] ?? "";

/** Serves the page and its workers under a policy; that of other files says nothing. */
async function serveUnder(page: Page, policy: string): Promise<void> {
  await page.route(/\/(\?[^/]*)?$|\/assets\/(libraryWorker|judgeWorker|worker)-[^/]*\.js$/, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, headers: { ...response.headers(), "content-security-policy": policy } });
  });
}

/** Nothing of its own from anywhere else, no style in the page, and no text that becomes a script. */
const STRICTEST =
  "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; require-trusted-types-for 'script'";

for (const [what, policy, isRefused] of [
  ["that the notes on hosting recommend", POLICY, /(?!)/],
  // A dialog keeps what is behind it from scrolling by a style in the page: that alone is not to be had.
  ["that is the strictest of all", STRICTEST, /inline style/],
] as const) {
  test(`writes under the policy ${what}`, async ({ page }) => {
    const refused: string[] = [];
    page.on("console", (message) => /Content Security Policy/.test(message.text()) && refused.push(message.text()));
    expect(policy).toContain("wasm-unsafe-eval");
    await serveUnder(page, policy);
    const studio = new ModelShelfPage(page);
    await studio.open({ backend: "wasm", model: "tiny-model" });
    await writeFew(studio);
    await page.keyboard.press("?");
    await page.keyboard.press("Escape");
    // The other workers start as well.
    await page.keyboard.press("m");
    await expect(studio.shelf).toBeVisible();
    await expect(studio.entry("Stories, fast")).toBeVisible();
    await page.keyboard.press("Escape");
    await page.getByRole("radio", { name: "Quality" }).click();
    await expect(page.getByRole("button", { name: /^Fetch the judge \(/ })).toBeVisible();
    expect(refused.filter((message) => !isRefused.test(message))).toEqual([]);
    expect(studio.faults.filter((fault) => !isRefused.test(fault))).toEqual([]);
  });
}

test("a policy that allows its Trusted Types to others alone is named", async ({ page }) => {
  await serveUnder(page, `${STRICTEST}; trusted-types somebody`);
  const studio = new StudioPage(page);
  await studio.open({ backend: "wasm", model: "tiny-model" });
  await studio.generate.click();
  await expect(studio.alert).toContainText("trusted-types elf-playground");
});

test("a policy without WebAssembly is named, before anything is downloaded", async ({ page }) => {
  await serveUnder(page, POLICY.replace(" 'wasm-unsafe-eval'", ""));
  const studio = new StudioPage(page);
  const weights: string[] = [];
  page.on("request", (request) => request.url().endsWith(".bin") && weights.push(request.url()));
  await studio.open({ backend: "wasm", model: "tiny-model" });
  await studio.generate.click();
  await expect(studio.alert).toHaveAttribute("data-code", "policy");
  await expect(studio.alert).toContainText("'wasm-unsafe-eval'");
  await expect(studio.alert).toContainText("docs/hosting.md");
  await expect(studio.alert.getByRole("button", { name: "Try again" })).toHaveCount(0);
  expect(weights).toEqual([]);
});

for (const [frame, attributes, headers, keeps] of [
  // Its server has to let any page read its files: one without an origin is another site's to them.
  ["a sandbox without an origin", 'sandbox="allow-scripts"', { "access-control-allow-origin": "*" }, false],
  // A page that is isolated by it takes frames of any kind, each with a storage of its own.
  ["a credentialless frame", "credentialless", {}, true],
] as const) {
  test(`writes in ${frame}`, async ({ page, baseURL }) => {
    await page.route(`${baseURL}**`, async (route) => {
      if (route.request().url().endsWith("/outer")) {
        const isolated = {
          "cross-origin-opener-policy": "same-origin",
          "cross-origin-embedder-policy": "credentialless",
        };
        const body = `<iframe ${attributes} src="./?backend=wasm&model=tiny-model" width="1200" height="800"></iframe>`;
        return route.fulfill({ contentType: "text/html", headers: isolated, body });
      }
      const response = await route.fetch();
      return route.fulfill({ response, headers: { ...response.headers(), ...headers } });
    });
    await page.goto("./outer");
    const inside = page.frameLocator("iframe");
    await inside.getByTestId("generate").click();
    await expect(inside.getByTestId("run-card")).toHaveCount(1);
    await expect(inside.getByTestId("generate")).toHaveText(/^Generate/);
    await expect(inside.getByRole("alert")).toHaveCount(0);
    // The other workers, too.
    await inside.getByTestId("model-chip").click();
    await expect(inside.getByText("Stories, fast")).toBeVisible();
    await expect(inside.getByTestId("keeping")).toHaveText(keeps ? "" : /keeps no runs, settings or models/);
  });
}

for (const forbidden of [
  "sandbox allow-scripts",
  "script-src 'nonce-of-somebody'",
  "script-src 'none'; style-src 'none'",
]) {
  test(`a page whose scripts do not run says what may be the cause: ${forbidden}`, async ({ page }) => {
    await serveUnder(page, forbidden);
    await page.goto("/");
    await expect(page.getByText("If this sentence stays")).toBeVisible();
    await expect(page.getByText("content security policy of whoever serves it")).toBeVisible();
  });
}

test("a policy without workers, or without other hosts, is named", async ({ page }) => {
  await serveUnder(page, POLICY.replace("worker-src 'self'", "worker-src 'none'"));
  const studio = new ModelShelfPage(page);
  await studio.open({ backend: "wasm", model: "tiny-model" });
  await studio.generate.click();
  await expect(studio.alert).toContainText("worker-src");
  await page.unrouteAll();

  await serveUnder(page, POLICY.replace(" https:", ""));
  await studio.openShelf();
  await studio.lookUp("https://models.example/elf-b/");
  await expect(studio.shelf.getByRole("alert")).toHaveAttribute("data-code", "policy");
  await expect(studio.shelf.getByRole("alert")).toContainText("may not ask models.example");
});
