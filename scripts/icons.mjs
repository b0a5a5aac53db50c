// `npm run icons`: draws the icons of the installed page, public/icons/, from its favicon: browsers that install pages want
// pictures of fixed sizes.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ensureChromium } from "./browsers.mjs";
import { ensureNodeModules, root } from "./node-modules.mjs";

/** `maskable` ones are cut to a shape of the system's liking: their edge is paper, the drawing stays in the middle. */
const ICONS = [
  { file: "192.png", size: 192, share: 1, paper: "transparent" },
  { file: "512.png", size: 512, share: 1, paper: "transparent" },
  { file: "maskable.png", size: 512, share: 0.72, paper: "#fcfaf6" },
];

await ensureNodeModules();
// Not before: on a fresh clone they are not there.
const { chromium } = await import("playwright-core");
const folder = join(root, "public", "icons");
mkdirSync(folder, { recursive: true });
const drawing = readFileSync(join(root, "public", "favicon.svg"), "utf8");
const browser = await chromium.launch({
  executablePath: await ensureChromium(),
  args: ["--no-sandbox", "--disable-gpu"],
});
try {
  for (const { file, size, share, paper } of ICONS) {
    const page = await browser.newPage({ viewport: { width: size, height: size }, colorScheme: "light" });
    const place = `display:grid;place-items:center;margin:0;height:100vh;background:${paper}`;
    await page.setContent(`<body style="${place}">${drawing.replace("<svg", `<svg width="${size * share}"`)}`);
    writeFileSync(join(folder, file), await page.screenshot({ omitBackground: true }));
  }
} finally {
  await browser.close();
}
