// `npm run docs -- picture`: the README's picture that moves. Each frame is drawn by the element itself, of a recorded run;
// Pillow, which the Python environment has, packs them into one file.
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { chromium } from "playwright-core";
import { ensureChromium } from "./chromium.mjs";
import { root } from "./node-modules.mjs";
import { pythonProgram } from "./python-environment.mjs";
import { must } from "./run.mjs";

const RUN = "traces/noise.json";
const SIZE = { width: 880, height: 420, theme: "light" };
const TYPES = { ".js": "text/javascript", ".json": "application/json" };

/** 24 steps in three seconds, then time to read. One palette, since frames hardly differ in colour. */
const PACK = `
import sys
from pathlib import Path
from PIL import Image
folder, target = Path(sys.argv[1]), Path(sys.argv[2])
frames = [Image.open(file).convert("RGB") for file in sorted(folder.glob("*.png"))]
palette = frames[len(frames) // 2].quantize(48)
packed = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
durations = [600, *[130] * (len(packed) - 2), 4000]
packed[0].save(target / "run.gif", save_all=True, append_images=packed[1:], duration=durations, loop=0, optimize=True)
frames[-1].quantize(64).save(target / "run.png", optimize=True)
`;

/** Draws and packs the picture into `docs/run.gif`, and its last frame, for those who want nothing to move, into `docs/run.png`. */
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
  const folder = mkdtempSync(join(tmpdir(), "elf-picture-"));
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
    for (let step = 0; step <= steps; step++) {
      const bytes = await tab.evaluate(
        async ([look, step]) => {
          const picture = await document.querySelector("elf-playground").toBlob("png", { ...look, step });
          return [...new Uint8Array(await picture.arrayBuffer())];
        },
        [SIZE, step],
      );
      writeFileSync(join(folder, `${String(step).padStart(4, "0")}.png`), Uint8Array.from(bytes));
    }
    const failed = "The frames could not be packed.";
    await must(failed, pythonProgram("python"), ["-c", PACK, folder, join(root, "docs")]);
  } finally {
    await browser.close();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
