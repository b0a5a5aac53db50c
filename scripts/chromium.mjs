// Finds a Chromium for the browser tests, and installs one where that is allowed.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { root } from "./node-modules.mjs";
import { run } from "./run.mjs";

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];
const fixedPlaces = ["/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"];

function findChromium() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  const folders = (process.env.PATH ?? "").split(delimiter);
  const places = [...folders.flatMap((folder) => names.map((name) => join(folder, name))), ...fixedPlaces];
  return places.find((place) => existsSync(place)) ?? findPlaywrights();
}

/** The browser that `playwright install` keeps in its cache, if it is there. */
function findPlaywrights() {
  const print = "import('playwright-core').then(({ chromium }) => console.log(chromium.executablePath()))";
  const { stdout } = spawnSync(process.execPath, ["-e", print], { cwd: root, encoding: "utf8" });
  const path = stdout?.trim();
  return path && existsSync(path) ? path : undefined;
}

/** Path of a Chromium. Stops with what to do when there is none and none may be installed. */
export async function ensureChromium() {
  let chromium = findChromium();
  if (chromium) return chromium;
  console.log("No Chromium was found; trying to install one …");
  const isRoot = process.getuid?.() === 0;
  if (isRoot && existsSync("/usr/bin/apt-get")) {
    await run("apt-get", ["update", "-qq"]);
    await run("apt-get", ["install", "-y", "-qq", "chromium"], {
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
      stdio: ["ignore", "ignore", "inherit"],
    });
  } else {
    await run("npx", ["--no-install", "playwright", "install", "chromium"], { cwd: root });
  }
  chromium = findChromium();
  if (chromium) return chromium;
  console.error(
    "The browser tests need Chromium or Chrome and none could be installed.\n" +
      "Install one (on Debian and Ubuntu: apt-get install chromium), or name its program in the variable CHROMIUM.",
  );
  process.exit(1);
}
