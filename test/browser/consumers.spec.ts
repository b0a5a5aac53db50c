/**
 * Projects of other people that have the package from npm, made from the packed one and driven: plain HTML, Vite with React,
 * with Vue and with Svelte, built and as one develops, VitePress. Numbers as in docs/embed.md.
 */
import { cpSync, existsSync, readFileSync, rmSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, type Page, test } from "@playwright/test";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import react from "@vitejs/plugin-react";
import { build, createServer, type PluginOption } from "vite";
import { type Project, projectWithPackage, run } from "../../package/installed";
import { serve } from "../../src/cli/serve";
import type {} from "../../src/embed/main";
import { EmbedHost } from "./embed-host";
import { slow } from "./slow";

const root = join(import.meta.dirname, "../..");
const docs = join(root, "docs/node_modules");
let project: Project;

test.beforeAll(() => {
  // VitePress and Vue are packages of the documentation.
  if (!existsSync(join(docs, "vitepress"))) run("npm", ["ci"], join(root, "docs"));
  project = projectWithPackage({
    "react-dom": "node_modules",
    svelte: "node_modules",
    "@types/react": "node_modules",
    "@types/react-dom": "node_modules",
    vue: "docs/node_modules",
    vitepress: "docs/node_modules",
  });
  cpSync(join(import.meta.dirname, "consumers"), project.place, { recursive: true });
});

test.afterAll(() => rmSync(project.place, { recursive: true, force: true }));

const SEVERAL = slow("the package is built and packed, and so is a site with it");

/** Puts the run and the model that the projects show into a folder. */
function fill(folder: string): void {
  cpSync(join(root, "public/traces"), join(folder, "traces"), { recursive: true });
  cpSync(join(root, "test/fixtures/tiny-model"), join(folder, "models/tiny-model"), { recursive: true });
}

/** Drives a page: the recorded run is there, then a text is written, in a worker that comes out of the package. */
async function drive(page: Page, url: string, write: () => Promise<void>): Promise<string[]> {
  const faults: string[] = [];
  page.on("pageerror", ({ message }) => faults.push(message));
  page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
  await page.goto(url);
  await expect(page.getByTestId("readout")).toContainText("step 8 of 8");
  expect(page.workers()).toEqual([]);
  await write();
  expect(page.workers()).toHaveLength(1);
  return faults;
}

/** Drives what was built. */
async function driveBuilt(page: Page, built: string, write: () => Promise<void>): Promise<string[]> {
  fill(built);
  const server: Server = await serve(built, 0, "127.0.0.1");
  try {
    return await drive(page, `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, write);
  } finally {
    server.close();
  }
}

/** Drives what Vite serves to whoever develops, without a word of configuration. */
async function driveDeveloped(page: Page, name: string, plugins: readonly PluginOption[]): Promise<string[]> {
  const place = join(project.place, name);
  fill(join(place, "public"));
  const server = await createServer({
    root: place,
    configFile: false,
    logLevel: "error",
    plugins: [...plugins],
    server: { host: "127.0.0.1", port: 0 },
  });
  try {
    await server.listen();
    return await drive(page, server.resolvedUrls?.local[0] ?? "", () => pressWrite(page));
  } finally {
    await server.close();
  }
}

/** Builds as Vite does without a word of configuration, but for what the framework itself asks for. */
async function built(name: string, plugins: readonly PluginOption[] = []): Promise<string> {
  const place = join(project.place, name);
  const out = join(place, "built");
  await build({
    root: place,
    configFile: false,
    logLevel: "error",
    plugins: [...plugins],
    build: { outDir: out },
  });
  return out;
}

const pressWrite = async (page: Page) => {
  await expect(page.locator("output")).toHaveText("8 steps");
  await page.getByRole("button", { name: "Write" }).click();
  await expect(page.locator("output")).toHaveText("done");
};

test("3, 13, 15: plain HTML under a strict policy, twenty elements and one engine", SEVERAL, async ({ page }) => {
  const host = await EmbedHost.start({ "/embed/": join(project.installed, "dist") });
  const faults: string[] = [];
  page.on("pageerror", ({ message }) => faults.push(message));
  page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
  const elements = Array.from(
    { length: 20 },
    (_, i) =>
      `<elf-playground id="e${i}" height="200" model="/models/tiny-model" trace="/traces/stories-fast.json">${i}</elf-playground>`,
  );
  try {
    await page.goto(host.page("twenty", elements.join(""), undefined, "/embed/element/elf-playground.js"));
    await expect(page.locator("#e0").getByTestId("readout")).toContainText("step 8 of 8");
    expect(host.asked.filter((path) => /worker|wasm|manifest/.test(path))).toEqual([]);
    const statuses = await page.evaluate(() =>
      Promise.all(
        [...document.querySelectorAll("elf-playground")].map((element) =>
          element.generate({ seed: 1, settings: { steps: 1 } }).then(({ status, text }) => `${status} ${text}`),
        ),
      ),
    );
    expect(statuses).toHaveLength(20);
    expect(new Set(statuses).size).toBe(1);
    expect(statuses[0]).toMatch(/^done /);
    expect(page.workers()).toHaveLength(1);
    expect(host.asked.filter((path) => path.endsWith("/manifest.json"))).toHaveLength(1);
    expect(faults).toEqual([]);
  } finally {
    await host.stop();
  }
});

test("13: Vite and React", SEVERAL, async ({ page }) => {
  // Props, events and methods are typed.
  run(join(root, "node_modules/.bin/tsc"), ["-p", join(project.place, "react")], project.place);
  expect(await driveBuilt(page, await built("react"), () => pressWrite(page))).toEqual([]);
});

test("13: Vite and Vue", SEVERAL, async ({ page }) => {
  const { default: vue } = await import(pathToFileURL(join(docs, "@vitejs/plugin-vue/dist/index.mjs")).href);
  const plugin = vue({
    template: { compilerOptions: { isCustomElement: (name: string) => name === "elf-playground" } },
  });
  expect(await driveBuilt(page, await built("vue", [plugin]), () => pressWrite(page))).toEqual([]);
});

test("13: Vite and Svelte", SEVERAL, async ({ page }) => {
  expect(await driveBuilt(page, await built("svelte", [svelte()]), () => pressWrite(page))).toEqual([]);
});

for (const [name, plugins] of [
  ["react", () => [react()]],
  ["svelte", () => [svelte()]],
] as const) {
  test(`13: the server of Vite for who develops with ${name}`, SEVERAL, async ({ page }) => {
    expect(await driveDeveloped(page, name, plugins())).toEqual([]);
  });
}

test("13, 14: a site of Markdown by VitePress", SEVERAL, async ({ page }) => {
  const place = join(project.place, "vitepress");
  run(join(docs, ".bin/vitepress"), ["build", place], project.place);
  const out = join(place, "built");
  // Before any script: the element, and the text of its run.
  expect(readFileSync(join(out, "index.html"), "utf8")).toMatch(
    /<elf-playground [^>]*>The text of the run<\/elf-playground>/,
  );
  const faults = await driveBuilt(page, out, async () => {
    const status = await page
      .locator("elf-playground")
      .evaluate((element: HTMLElementTagNameMap["elf-playground"]) =>
        element.generate({ seed: 1, settings: { steps: 2 } }).then(({ status }) => status),
      );
    expect(status).toBe("done");
  });
  expect(faults).toEqual([]);
});
