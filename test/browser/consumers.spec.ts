/**
 * Projects of other people that have the package from npm, made from the packed one and driven: plain HTML, Vite with React and
 * with Vue, VitePress. Numbers as in docs/embed.md.
 */
import { cpSync, existsSync, readFileSync, rmSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, type Page, test } from "@playwright/test";
import { build, type PluginOption } from "vite";
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
    "@types/react": "node_modules",
    "@types/react-dom": "node_modules",
    vue: "docs/node_modules",
    vitepress: "docs/node_modules",
  });
  cpSync(join(import.meta.dirname, "consumers"), project.place, { recursive: true });
});

test.afterAll(() => rmSync(project.place, { recursive: true, force: true }));

const SEVERAL = slow("the package is built and packed, and so is a site with it");

/** Drives what was built: the recorded run is there, then a text is written, in a worker that comes out of the package. */
async function drive(page: Page, built: string, write: () => Promise<void>): Promise<string[]> {
  cpSync(join(root, "public/traces"), join(built, "traces"), { recursive: true });
  cpSync(join(root, "test/fixtures/tiny-model"), join(built, "models/tiny-model"), { recursive: true });
  const faults: string[] = [];
  page.on("pageerror", ({ message }) => faults.push(message));
  page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
  const server: Server = await serve(built, 0, "127.0.0.1");
  try {
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await expect(page.getByTestId("readout")).toContainText("step 8 of 8");
    expect(page.workers()).toEqual([]);
    await write();
    expect(page.workers()).toHaveLength(1);
    return faults;
  } finally {
    server.close();
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
  expect(await drive(page, await built("react"), () => pressWrite(page))).toEqual([]);
});

test("13: Vite and Vue", SEVERAL, async ({ page }) => {
  const { default: vue } = await import(pathToFileURL(join(docs, "@vitejs/plugin-vue/dist/index.mjs")).href);
  const plugin = vue({
    template: { compilerOptions: { isCustomElement: (name: string) => name === "elf-playground" } },
  });
  expect(await drive(page, await built("vue", [plugin]), () => pressWrite(page))).toEqual([]);
});

test("13, 14: a site of Markdown by VitePress", SEVERAL, async ({ page }) => {
  const place = join(project.place, "vitepress");
  run(join(docs, ".bin/vitepress"), ["build", place], project.place);
  const out = join(place, "built");
  // Before any script: the element, and the text of its run.
  expect(readFileSync(join(out, "index.html"), "utf8")).toMatch(
    /<elf-playground [^>]*>The text of the run<\/elf-playground>/,
  );
  const faults = await drive(page, out, async () => {
    const status = await page
      .locator("elf-playground")
      .evaluate((element: HTMLElementTagNameMap["elf-playground"]) =>
        element.generate({ seed: 1, settings: { steps: 2 } }).then(({ status }) => status),
      );
    expect(status).toBe("done");
  });
  expect(faults).toEqual([]);
});
