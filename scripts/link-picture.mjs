// `npm run link-picture`: draws public/preview.png, which previews of links to the page show, from the recorded run of the
// stories, as every `<elf-playground>` draws pictures of what it shows.
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { ensureChromium } from "./browsers.mjs";
import { ensureNodeModules, root } from "./node-modules.mjs";
import { must } from "./run.mjs";

/** Where half of the words are decided and half are not. */
const STEP = 20;

await ensureNodeModules();
// Not before: on a fresh clone they are not there.
const { chromium } = await import("playwright-core");
const { default: sirv } = await import("sirv");
const vite = join(root, "node_modules", ".bin", "vite");
const words = ["build", "-c", "vite.embed.config.ts", "--logLevel", "warn"];
await must("The element could not be built.", vite, words, { cwd: root });
const files = sirv(join(root, "dist", "embed"), { dev: true });
const server = createServer((request, response) => {
  if (request.url === "/") response.setHeader("Content-Type", "text/html").end("<!doctype html><html lang=en>");
  else files(request, response, () => response.writeHead(404).end());
}).listen(0, "127.0.0.1");
const browser = await chromium.launch({ executablePath: await ensureChromium() });
try {
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  const trace = readFileSync(join(root, "public", "traces", "stories.json"), "utf8");
  const picture = await page.evaluate(
    async ([trace, step]) => {
      await import("/elf-playground.js");
      const element = document.createElement("elf-playground");
      const inline = document.createElement("script");
      inline.type = "application/json";
      inline.textContent = trace;
      element.append(inline);
      document.body.append(element);
      const blob = await element.toBlob("png", { step, theme: "light" });
      return Array.from(new Uint8Array(await blob.arrayBuffer()));
    },
    [trace, STEP],
  );
  writeFileSync(join(root, "public", "preview.png"), Buffer.from(picture));
} finally {
  await browser.close();
  server.close();
}
