/** The page without a network, from a folder of a plain host of its own, which tests unplug and bring newer versions. */
import { readFile } from "node:fs/promises";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, type Page, test } from "@playwright/test";
import sirv from "sirv";
import { damageKeptPage } from "./kept-page";
import { writeFew } from "./runs";
import { slow } from "./slow";
import { StudioPage } from "./studio-page";

test.use({ serviceWorkers: "allow" });

const root = join(import.meta.dirname, "../..");
const ISOLATED = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};
const files = (folder: string) => sirv(join(root, folder), { dev: true });
const page = files("dist");
const fixtures = files("test/fixtures");

/** A host that has the page in `/its/folder/`. */
class Host {
  isPluggedIn = true;
  /** Put into the page's files, as another build would have other contents. */
  edition: string | null = null;
  #server: Server | undefined;

  async open(): Promise<string> {
    this.#server = createServer((request, response) => {
      if (!this.isPluggedIn) return void request.socket.destroy();
      const [, path = ""] = /^\/its\/folder(\/[^?]*)/.exec(request.url ?? "") ?? [];
      if (path === "") return void response.writeHead(404).end();
      for (const [name, value] of Object.entries(ISOLATED)) response.setHeader(name, value);
      if (this.edition !== null && /^\/(?:offline\.js)?$/.test(path)) return void this.#fetchEdition(path, response);
      request.url = path;
      const none = () => void response.writeHead(404).end();
      if (!path.startsWith("/models/tiny-model/")) return void page(request, response, none);
      request.url = path.slice("/models".length);
      fixtures(request, response, none);
    }).listen(0, "127.0.0.1");
    await new Promise((resolve) => this.#server?.once("listening", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/its/folder/`;
  }

  async #fetchEdition(path: string, response: ServerResponse): Promise<void> {
    const text = await readFile(join(root, "dist", path === "/" ? "index.html" : path), "utf8");
    response.setHeader("Content-Type", path === "/" ? "text/html" : "text/javascript");
    const [from, to] =
      path === "/" ? ["<title>", `<title>${this.edition} `] : [/version:`\w+`/, `version:\`${this.edition}\``];
    expect(text).toMatch(from);
    response.end(text.replace(from, to));
  }

  close(): void {
    this.#server?.closeAllConnections();
    this.#server?.close();
  }
}

let host: Host;
let url: string;
test.beforeEach(async () => {
  host = new Host();
  url = await host.open();
});
test.afterEach(() => host.close());

const visit = async (page: Page) => {
  const studio = new StudioPage(page);
  await page.goto(`${url}?model=tiny-model&backend=wasm`);
  await expect(studio.generate).toBeVisible();
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
  await expect.poll(() => page.evaluate(() => navigator.serviceWorker.controller !== null)).toBe(true);
  return studio;
};

/** Paths that are kept, of the page's folder. */
const keptFiles = (page: Page) =>
  page.evaluate(async () => {
    const requests = await Promise.all((await caches.keys()).map(async (name) => (await caches.open(name)).keys()));
    return requests.flat().map(({ url }) => new URL(url).pathname.replace("/its/folder/", ""));
  });

test("opens and writes without a network once it was visited, from a folder, isolated as before", async ({ page }) => {
  const studio = await visit(page);
  await writeFew(studio);
  await expect.poll(async () => (await keptFiles(page)).filter((path) => path.endsWith(".wasm")).length).toBe(1);
  await page.getByTestId("model-chip").click();
  await expect(page.getByTestId("kept-page")).toContainText(/The page itself, \d+(\.\d)? MB, is kept too/);

  host.isPluggedIn = false;
  await page.reload();
  await expect(studio.generate).toBeVisible();
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  await expect(studio.runs).toHaveCount(1);
  await studio.set("Seed", 5);
  await writeFew(studio);
  await expect(studio.runs).toHaveCount(2);
  expect(studio.faults).toEqual([]);
});

test("a judge that was fetched once is there without a network", slow("a judge is loaded twice"), async ({ page }) => {
  const studio = await visit(page);
  await writeFew(studio);
  const lens = page.getByRole("region", { name: "Quality" });
  const fetchIt = lens.getByRole("button", { name: /^Fetch the judge \(\d.* MB\)$/ });
  await page.getByRole("radio", { name: "Quality" }).click();
  await fetchIt.click();
  await expect(lens.getByRole("img")).toBeVisible();
  await expect.poll(async () => (await keptFiles(page)).filter((path) => path.endsWith(".bin")).length).toBe(1);

  host.isPluggedIn = false;
  await page.reload();
  await page.getByRole("radio", { name: "Quality" }).click();
  await fetchIt.click();
  await expect(lens.getByRole("img")).toBeVisible();
  expect(studio.faults).toEqual([]);
});

test("what nobody looked at is not kept: other letters, other runtimes, the picture for links", async ({ page }) => {
  await visit(page);
  const kept = await keptFiles(page);
  expect(kept).toContain("");
  expect(kept.filter((path) => /preview|\.bin$|asyncify|jspi|cyrillic|offline\.js/.test(path))).toEqual([]);
});

test("a newer page is told of, waits, and comes by a press; runs stay", async ({ page }) => {
  const studio = await visit(page);
  await writeFew(studio);
  const runtimes = async () => (await keptFiles(page)).filter((path) => path.endsWith(".wasm")).length;
  await expect.poll(runtimes).toBe(1);
  host.edition = "Newer";
  await page.reload();
  await expect(page.getByTestId("newer-page")).toContainText("A newer version of this page is here.");
  await page.reload();
  await expect(page.getByTestId("newer-page")).toContainText("A newer version of this page is here.");
  expect(await page.title()).not.toContain("Newer");

  await page.getByRole("button", { name: "Load it" }).click();
  await expect(page).toHaveTitle(/^Newer /);
  await expect(studio.runs).toHaveCount(1);
  await expect(page.getByTestId("newer-page")).toHaveText("");
  await expect.poll(runtimes, "kept once, not once a version").toBe(1);
  expect(studio.faults).toEqual([]);
});

test("a kept page that is damaged on the disk is fetched anew, and kept again", async ({ page }) => {
  const studio = await visit(page);
  await writeFew(studio);
  await expect.poll(async () => (await keptFiles(page)).filter((path) => path.endsWith(".wasm")).length).toBe(1);
  await damageKeptPage(page);
  await page.goto(`${url}?model=tiny-model&backend=wasm`);
  await studio.set("Seed", 5);
  await writeFew(studio);
  await expect(studio.runs).toHaveCount(2);
  host.isPluggedIn = false;
  await page.reload();
  await studio.set("Seed", 6);
  await writeFew(studio);
  expect(studio.faults).toEqual([]);
});

test("what is kept of the page can be deleted where models can", async ({ page }) => {
  await visit(page);
  await page.getByTestId("model-chip").click();
  await page.getByTestId("kept-page").getByRole("button", { name: "Delete it" }).click();
  await expect(page.getByTestId("kept-page")).toContainText("needs a network to open");
  expect(await keptFiles(page)).toEqual([]);
  expect(await page.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).length)).toBe(0);
});
