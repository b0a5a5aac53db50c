import { join } from "node:path";
import { expect, test } from "@playwright/test";
import { violations } from "./axe";
import { ModelServer } from "./model-server";
import { ModelShelfPage } from "./model-shelf-page";
import { slow } from "./slow";

const TITLE = /tiny/i;
let server: ModelServer;
test.beforeEach(async () => {
  server = await ModelServer.of("tiny-model");
});
test.afterEach(() => server.stop());

test("a model from an address is looked up, stored, loaded, and deleted again", async ({ page }) => {
  const studio = new ModelShelfPage(page);
  await studio.openShelf();
  const host = new URL(server.url).host;
  await studio.shelf.getByRole("textbox", { name: "Hub id or address" }).fill(server.url);
  await expect(studio.shelf).toContainText(`Asks ${host} and no other host`);
  expect(server.asked, "nothing is asked before the button").toEqual([]);
  await studio.shelf.getByRole("button", { name: `Look it up at ${host}` }).click();
  const entry = studio.entry(TITLE);
  await expect(entry).toContainText("to download");
  await expect(entry).toContainText("of memory on WASM");
  expect(server.filesAsked, "looking costs the manifest alone").toEqual([]);

  await entry.getByRole("button", { name: "Download only" }).click();
  await expect(entry).toContainText("stored on this device");
  expect(server.filesAsked.every(({ range }) => range === undefined)).toBe(true);
  await studio.expectNothingWrongStored();

  // Now from the store alone.
  const asked = server.filesAsked.length;
  await entry.getByRole("button", { name: "Load", exact: true }).click();
  await expect(entry.getByRole("button", { name: "In use" })).toBeVisible();
  expect(server.filesAsked).toHaveLength(asked);
  await page.keyboard.press("Escape");
  await studio.set("Steps", 8);
  expect((await studio.write()).length).toBeGreaterThan(0);

  // There at the next visit, even when its server is gone; and nobody asks it.
  await server.stop();
  await page.goto("?backend=wasm");
  await expect(studio.chip).toContainText(TITLE);
  await studio.set("Steps", 8);
  expect((await studio.write()).length).toBeGreaterThan(0);

  await studio.chip.click();
  await entry.getByRole("button", { name: "Delete…" }).click();
  await entry.getByRole("button", { name: /^Delete \d/ }).click();
  await expect(entry).toHaveCount(0);
  expect(await studio.stored()).toEqual({});
  expect(studio.faults).toEqual([]);
});

test("bad networks and bad servers are survived, and nothing of theirs is stored as good", async ({ page }) => {
  const studio = new ModelShelfPage(page);
  await studio.openShelf();
  await studio.lookUp(server.url);
  const entry = studio.entry(TITLE);
  const alert = studio.shelf.getByRole("alert");
  const download = entry.getByRole("button", { name: "Download only" });

  const fails = async (manners: Parameters<typeof server.treat>[0], code: string) => {
    server.treat((asked) => (asked.path.endsWith("manifest.json") ? {} : manners(asked)));
    await download.click();
    await expect(alert).toHaveAttribute("data-code", code);
    await studio.expectNothingWrongStored();
    await alert.getByRole("button", { name: "Dismiss" }).click();
  };
  const isShard = (path: string) => path.endsWith(".bin");
  await fails(({ path }) => (isShard(path) ? { flipAt: 1000 } : {}), "corrupt-file");
  await fails(({ path }) => (isShard(path) ? { extraBytes: 500 } : {}), "corrupt-file");
  await fails(({ path }) => (isShard(path) ? { endAfter: 5000, ignoreRange: true } : {}), "truncated-file");
  await fails(({ path }) => (isShard(path) ? { html: true } : {}), "missing-file");
  await fails(({ path }) => (isShard(path) ? { status: 404 } : {}), "missing-file");
  await fails(({ path }) => (isShard(path) ? { status: 403 } : {}), "forbidden");
  await fails(({ path }) => (isShard(path) ? { status: 429, retryAfter: "3600" } : {}), "unreachable");
  await fails(({ path }) => (isShard(path) ? { redirectTo: "https://elsewhere.example/x" } : {}), "foreign-host");
  // The whole shard with a wrong byte near its end, which is thrown away whole: how much of it earlier faults have left is chance.
  await fails(({ path }) => (isShard(path) ? { flipAt: 730_000 } : {}), "corrupt-file");

  // A line that breaks and a server that is busy for a moment end well. The bar never goes back.
  server.treat(({ path, turn }) => {
    if (!isShard(path) || turn > 2) return {};
    // A second behind each piece: a browser drops what its page has not read yet when the line breaks.
    if (turn < 2) return { cutAfter: 20_000 * (turn + 1), slow: turn === 0 ? 1000 : 0 };
    // Told to wait three seconds, the page says for so long that it tries again; its own first pause may pass unseen on a busy machine.
    return { status: 429, retryAfter: "3" };
  });
  const told = page.evaluate(() => {
    const seen: number[] = [];
    let isTriedAgain = false;
    return new Promise<{ seen: number[]; isTriedAgain: boolean }>((resolve) => {
      const timer = setInterval(() => {
        const bar = document.querySelector("[aria-label='Downloading the model']");
        if (bar) seen.push(Number(bar.getAttribute("aria-valuenow")));
        if (document.body.innerText.includes("Trying again")) isTriedAgain = true;
        if (!bar && seen.length > 0) {
          clearInterval(timer);
          resolve({ seen, isTriedAgain });
        }
      }, 15);
    });
  });
  await download.click();
  await expect(entry).toContainText("stored on this device");
  const { seen, isTriedAgain } = await told;
  expect(server.filesAsked.filter(({ path }) => isShard(path)).map(({ turn }) => turn)).toEqual([0, 1, 2, 3]);
  expect(isTriedAgain).toBe(true);
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
  expect(server.filesAsked.some(({ range }) => /^bytes=[1-9]/.test(range ?? ""))).toBe(true);
  await studio.expectNothingWrongStored();
  expect(studio.faults).toEqual([]);
});

test("a download that is cancelled or left goes on where it was", async ({ page }) => {
  const studio = new ModelShelfPage(page);
  await studio.openShelf();
  await studio.lookUp(server.url);
  const entry = studio.entry(TITLE);
  server.treat(({ path }) => (path.endsWith(".bin") ? { slow: 250 } : {}));
  const begun = async () =>
    expect
      .poll(async () =>
        Object.entries(await studio.stored()).some(([name, size]) => name.endsWith(".part") && size !== 0),
      )
      .toBe(true);
  await entry.getByRole("button", { name: "Download only" }).click();
  await begun();
  // Smaller files may have begun before it.
  const shard = () => server.filesAsked.filter(({ path }) => path.endsWith(".bin"));
  await expect.poll(() => shard().length).toBe(1);
  await entry.getByRole("button", { name: "Cancel" }).click();
  await expect(entry).toContainText("of it are here already");
  await expect(studio.shelf.getByRole("alert")).toHaveCount(0);
  expect(shard()).toHaveLength(1);

  await entry.getByRole("button", { name: "Download only" }).click();
  await expect.poll(() => shard().length).toBe(2);
  await begun();
  await page.reload();
  await studio.chip.click();
  await expect(entry).toContainText("of it are here already");
  server.treat(() => ({}));
  await entry.getByRole("button", { name: "Download only" }).click();
  await expect(entry).toContainText("stored on this device");
  expect(shard()).toMatchObject([{ range: expect.stringMatching(/^bytes=[1-9]\d*-$/) }]);
  await studio.expectNothingWrongStored();
});

test("two tabs load a model once between them", slow("two pages"), async ({ page, context }) => {
  const studios = [new ModelShelfPage(page), new ModelShelfPage(await context.newPage())];
  for (const studio of studios) {
    await studio.openShelf();
    await studio.lookUp(server.url);
    await expect(studio.entry(TITLE)).toBeVisible();
  }
  server.treat(({ path }) => (path.endsWith(".bin") ? { slow: 60 } : {}));
  for (const studio of studios) await studio.entry(TITLE).getByRole("button", { name: "Download only" }).click();
  for (const studio of studios) await expect(studio.entry(TITLE)).toContainText("stored on this device");
  const paths = server.filesAsked.map(({ path }) => path);
  expect(paths.length).toBe(new Set(paths).size);
  await studios[0]?.expectNothingWrongStored();
});

test("a model that does not fit is refused with need and room, before or when the storage fills up", async ({
  page,
  context,
}) => {
  const studio = new ModelShelfPage(page);
  await studio.openShelf();
  await studio.lookUp(server.url);
  const download = studio.entry(TITLE).getByRole("button", { name: "Download only" });
  await expect(download).toBeVisible();
  const alert = studio.shelf.getByRole("alert");

  // Some browsers say how much room there is.
  const worker = page.workers().find((candidate) => candidate.url().includes("libraryWorker"));
  await worker?.evaluate(() => {
    navigator.storage.estimate = async () => ({ quota: 200_000, usage: 150_000 });
  });
  await download.click();
  await expect(alert).toHaveAttribute("data-code", "no-space");
  await expect(alert).toContainText(/needs \d+ kB of storage, and the browser has 50 kB left/);
  expect(server.filesAsked).toEqual([]);
  await alert.getByRole("button", { name: "Dismiss" }).click();

  // Others tell of more than they give.
  await worker?.evaluate(() => {
    navigator.storage.estimate = async () => ({ quota: 1e10, usage: 0 });
  });
  const devtools = await context.newCDPSession(page);
  await devtools.send("Storage.overrideQuotaForOrigin", { origin: new URL(page.url()).origin, quotaSize: 300_000 });
  await download.click();
  await expect(alert).toHaveAttribute("data-code", "no-space");
  await expect(alert).toContainText(/needs \d+ kB of storage, and the browser's is full/);
  await studio.expectNothingWrongStored();
});

test("a model of the hub is asked for by one commit; hostile ones are refused and never rendered", async ({
  page,
  context,
}) => {
  const commit = "0123456789abcdef0123456789abcdef01234567";
  const asked: string[] = [];
  await context.route("https://huggingface.co/**", async (route) => {
    asked.push(new URL(route.request().url()).pathname);
    const path = asked.at(-1)?.split(/\/resolve\/[^/]+\//)[1] ?? "";
    const body = server.files.get(`tiny-model/${path}`);
    const headers = { "access-control-allow-origin": "*", "access-control-expose-headers": "x-repo-commit" };
    await route.fulfill(body ? { body, headers: { ...headers, "x-repo-commit": commit } } : { status: 404, headers });
  });
  const studio = new ModelShelfPage(page);
  await studio.openShelf();
  server.rewrite((manifest) => {
    manifest.title = "<img src=x onerror=alert(1)> Tiny";
  });
  await studio.lookUp("owner/tiny@main");
  const entry = studio.entry(TITLE);
  await expect(entry).toContainText("<img src=x");
  await expect(studio.shelf.locator("img")).toHaveCount(0);
  await entry.getByRole("button", { name: "Download only" }).click();
  await expect(entry).toContainText("stored on this device");
  const files = asked.filter((path) => !path.endsWith("manifest.json"));
  expect(files.length).toBeGreaterThan(3);
  expect(files.every((path) => path.startsWith(`/owner/tiny/resolve/${commit}/`))).toBe(true);

  // A graph whose operator is another than it was, with a manifest that fits.
  server.replace("onnx/denoiser.onnx", (bytes) =>
    Buffer.from(bytes.toString("latin1").replaceAll("MatMul", "IfLoop"), "latin1"),
  );
  await studio.lookUp(server.url);
  const hostile = studio.entry(TITLE).filter({ hasText: new URL(server.url).host });
  await hostile.getByRole("button", { name: "Load", exact: true }).click();
  const alert = studio.shelf.getByRole("alert");
  await expect(alert).toHaveAttribute("data-code", "untrusted-model");
  await expect(alert).toContainText("IfLoop");
  expect(studio.faults).toEqual([]);
});

test("a folder that was chosen is loaded without any request", slow("two models are loaded"), async ({ page }) => {
  const studio = new ModelShelfPage(page);
  await studio.openShelf();
  const requests: string[] = [];
  page.on("request", (request) => requests.push(request.url()));
  await page.getByTestId("model-folder").setInputFiles(join(import.meta.dirname, "../fixtures/tiny-conditional"));
  const entry = studio.entry("Tiny, conditional");
  await expect(entry).toContainText("your folder");
  await entry.getByRole("button", { name: "Load", exact: true }).click();
  await expect(entry.getByRole("button", { name: "In use" })).toBeVisible();
  expect(requests.filter((url) => !/\/assets\/|^blob:/.test(url))).toEqual([]);
  await studio.expectNothingWrongStored();

  // The memory of a model is free when its worker has ended: however many are loaded, one worker is left.
  const engines = () => page.workers().filter((worker) => /\/worker-/.test(worker.url()));
  await studio.lookUp(server.url);
  await studio
    .entry(/^Tiny$/)
    .getByRole("button", { name: "Load", exact: true })
    .click();
  await expect(studio.entry(/^Tiny$/).getByRole("button", { name: "In use" })).toBeVisible();
  await entry.getByRole("button", { name: "Load", exact: true }).click();
  await expect(entry.getByRole("button", { name: "In use" })).toBeVisible();
  expect(engines()).toHaveLength(1);

  await page.getByTestId("model-folder").setInputFiles(join(import.meta.dirname, "../fixtures/tiny-conditional/onnx"));
  await expect(studio.shelf.getByRole("alert")).toContainText("no manifest.json");
});

test("files that are dropped on the page are taken for a model", async ({ page }) => {
  const studio = new ModelShelfPage(page);
  await studio.open({ backend: "wasm" });
  const files = [...server.files].map(
    ([path, bytes]) => [path.split("/").at(-1) ?? "", bytes.toString("base64")] as const,
  );
  const carried = await page.evaluateHandle((dropped) => {
    const transfer = new DataTransfer();
    for (const [name, text] of dropped) {
      transfer.items.add(new File([Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0))], name));
    }
    return transfer;
  }, files);
  await page.dispatchEvent("body", "dragover", { dataTransfer: carried });
  await expect(page.getByText("Drop a model’s folder")).toBeVisible();
  await page.dispatchEvent("body", "drop", { dataTransfer: carried });
  await expect(page.getByText("Drop a model’s folder")).toHaveCount(0);
  const entry = studio.entry(/^Tiny$/);
  await entry.getByRole("button", { name: "Download only" }).click();
  await expect(entry).toContainText("stored on this device");
  expect(server.asked).toEqual([]);
});

test("without a file system a model is kept in memory, and the page says so", async ({ page }) => {
  await page.route(/\/assets\/(libraryWorker|worker)-[^/]*\.js$/, async (route) => {
    const response = await route.fetch();
    const without = "Object.defineProperty(StorageManager.prototype, 'getDirectory', { value: undefined });";
    await route.fulfill({ response, body: `${without}\n${await response.text()}` });
  });
  const studio = new ModelShelfPage(page);
  await studio.openShelf({ backend: "wasm", model: "tiny-model" });
  await expect(studio.shelf).toContainText("This window keeps nothing");
  await expect(studio.shelf.getByRole("button", { name: "Download only" })).toHaveCount(0);
  await page.keyboard.press("Escape");
  await studio.set("Steps", 8);
  expect((await studio.write()).length).toBeGreaterThan(0);
  expect(await studio.stored()).toEqual({});
});

for (const colorScheme of ["light", "dark"] as const) {
  test(
    `nothing on the shelf stands in anybody's way, ${colorScheme}`,
    colorScheme === "light" ? slow("looked at twice more") : {},
    async ({ page }) => {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      const studio = new ModelShelfPage(page);
      await studio.open({ backend: "wasm" });
      await studio.chip.press("Enter");
      await studio.lookUp(server.url);
      await studio.entry(TITLE).getByRole("button", { name: "Download only" }).click();
      await expect(studio.entry(TITLE)).toContainText("stored on this device");
      await studio.lookUp("nonsense");
      await expect(studio.shelf.getByRole("alert")).toBeVisible();
      for (const width of [1280, 360]) {
        await page.setViewportSize({ width, height: 800 });
        expect(await violations(page)).toEqual([]);
        const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        expect(over).toBeLessThanOrEqual(0);
      }
      await page.keyboard.press("Escape");
      await expect(studio.shelf).toHaveCount(0);
      await expect(studio.chip).toBeFocused();
    },
  );
}
