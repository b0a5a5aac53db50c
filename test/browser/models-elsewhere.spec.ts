/** A build whose models lie on another host (`npm run build -- --base-models ADDRESS`): page and element ask that one. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@playwright/test";
import { build } from "vite";
import { serve } from "../../src/cli/serve";
import type {} from "../../src/embed/main";
import { slow } from "./slow";
import { StudioPage } from "./studio-page";

const root = join(import.meta.dirname, "../..");
const out = mkdtempSync(join(tmpdir(), "elf-elsewhere-"));
let pages: Server;
let models: Server;
const at = (server: Server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;

test.beforeAll(async () => {
  models = await serve(join(root, "test/fixtures"), 0, "127.0.0.1");
  process.env.ELF_BASE_MODELS = at(models);
  for (const [configFile, outDir] of [
    ["vite.config.ts", out],
    ["vite.embed.config.ts", join(out, "embed")],
  ] as const) {
    await build({ configFile: join(root, configFile), logLevel: "error", build: { outDir, emptyOutDir: false } });
  }
  delete process.env.ELF_BASE_MODELS;
  pages = await serve(out, 0, "127.0.0.1");
});

test.afterAll(() => {
  pages.close();
  models.close();
  rmSync(out, { recursive: true, force: true });
});

test(
  "page and element write with a model of that host, which alone has the weights",
  slow("page and element are built once more"),
  async ({ page }) => {
    // What lies beside the page: the names of those that ship, and nothing of them.
    expect(readdirSync(join(out, "models"))).toEqual(["index.json"]);
    expect(JSON.parse(readFileSync(join(out, "models/index.json"), "utf8"))).toContain("stories");

    const asked: string[] = [];
    page.context().on("request", (request) => {
      if (/manifest\.json|\.onnx/.test(request.url())) asked.push(new URL("/", request.url()).href);
    });
    const studio = new StudioPage(page);
    await page.goto(`${at(pages)}?model=tiny-model&backend=wasm`);
    await expect(studio.generate).toBeVisible();
    await studio.set("Steps", 2);
    await studio.write();

    await page.goto(`${at(pages)}embed/embed.html?model=tiny-model`);
    const { status } = await page
      .locator("elf-playground")
      .evaluate((element: HTMLElementTagNameMap["elf-playground"]) =>
        element.generate({ seed: 1, settings: { steps: 2 } }),
      );
    expect(status).toBe("done");
    expect(new Set(asked)).toEqual(new Set([at(models)]));
    expect(studio.faults).toEqual([]);
  },
);
