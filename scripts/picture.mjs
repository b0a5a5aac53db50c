// `npm run docs -- picture`: the README's picture that moves, drawn by the element itself, of a recorded run.
import { createReadStream, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { chromium } from "playwright-core";
import { ensureChromium } from "./browsers.mjs";
import { root } from "./node-modules.mjs";

const RUN = "traces/noise.json";
const SIZE = { width: 880, height: 420, theme: "light" };
const TYPES = { ".js": "text/javascript", ".json": "application/json" };

/** Draws the picture into `docs/run.gif`, and its last frame, for those who want nothing to move, into `docs/run.png`. */
export async function writePicture() {
  const CHROMIUM = await ensureChromium();
  const page = `<!doctype html><script type="module" src="/embed/elf-playground.js"></script><elf-playground trace="/${RUN}"></elf-playground>`;
  const server = createServer(({ url = "/" }, response) => {
    if (url === "/") return void response.setHeader("Content-Type", "text/html").end(page);
    const file = url.startsWith("/embed/") ? join(root, "dist", url) : join(root, "docs", "public", url);
    response.setHeader("Content-Type", TYPES[extname(file)] ?? "application/octet-stream");
    createReadStream(file)
      .on("error", () => response.writeHead(404).end())
      .pipe(response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-gpu"] });
  try {
    const tab = await browser.newPage();
    await tab.addInitScript(() => {
      globalThis.ready = new Promise((resolve) =>
        addEventListener("elf-ready", ({ detail }) => resolve(detail), { once: true }),
      );
    });
    await tab.goto(`http://127.0.0.1:${server.address().port}/`);
    const { steps } = await tab.evaluate(() => globalThis.ready);
    for (const kind of ["gif", "png"]) {
      const bytes = await tab.evaluate(
        async ([kind, look]) => {
          const picture = await document.querySelector("elf-playground").toBlob(kind, look);
          return [...new Uint8Array(await picture.arrayBuffer())];
        },
        [kind, { ...SIZE, step: steps }],
      );
      writeFileSync(join(root, "docs", `run.${kind}`), Uint8Array.from(bytes));
    }
  } finally {
    await browser.close();
    server.close();
  }
}
