// Finds the browsers of the tests, and installs them where that is allowed: Chromium, beside it the headless shell, which
// is Chromium without anything of a window and takes a good deal less of a processor, and the engines of other makers.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { root } from "./node-modules.mjs";
import { run } from "./run.mjs";

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];
const fixedPlaces = ["/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"];

/** Where WebKitGTK's window lies on Debian and Ubuntu. */
const libraries = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"];
const miniBrowsers = libraries.flatMap((folder) => ["4.1", "4.0"].map((v) => `${folder}/webkit2gtk-${v}/MiniBrowser`));

/** As `findEngines`, installed first where that is allowed. */
export async function ensureEngines() {
  if (!findEngines().FIREFOX) await aptInstall("firefox-esr");
  if (!findEngines().WEBKIT_DRIVER) await aptInstall("webkit2gtk-driver", "xvfb");
  return findEngines();
}

/**
 * Programs of the other engines of browsers by the names of the variables that `test/engines` finds them by. What is not there is
 * left out.
 */
export function findEngines() {
  const first = (places) => places.find((place) => existsSync(place));
  const [firefox, driver, screen] = [["firefox-esr", "firefox"], ["WebKitWebDriver"], ["Xvfb"]].map((names) =>
    first(onPath(names)),
  );
  const window = first(miniBrowsers);
  return {
    ...(firefox ? { FIREFOX: firefox } : {}),
    // It has to have a screen.
    ...(driver && screen && window ? { WEBKIT_DRIVER: driver, WEBKIT_WINDOW: window } : {}),
  };
}

function findChromium() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  return [...onPath(names), ...fixedPlaces].find((place) => existsSync(place)) ?? findPlaywrights();
}

/** Where programs called so may lie. */
function onPath(programs) {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return folders.flatMap((folder) => programs.map((name) => join(folder, name)));
}

/** The browser that `playwright install` keeps in its cache, if it is there. */
function findPlaywrights() {
  const print = "import('playwright-core').then(({ chromium }) => console.log(chromium.executablePath()))";
  const { stdout } = spawnSync(process.execPath, ["-e", print], { cwd: root, encoding: "utf8" });
  const path = stdout?.trim();
  return path && existsSync(path) ? path : undefined;
}

/** The headless shell that fits a Chromium: one of another version would show other things. */
function findHeadlessShell(chromium) {
  const shell = onPath(["chromium-headless-shell"]).find((place) => existsSync(place));
  return shell && versionOf(shell) === versionOf(chromium) ? shell : undefined;
}

function versionOf(browser) {
  const { stdout } = spawnSync(browser, ["--version"], { encoding: "utf8" });
  return /\d+(\.\d+)+/.exec(stdout ?? "")?.[0];
}

let installing = Promise.resolve();

/** Installs packages of the system, one call after another: apt has one lock. Says whether it could. */
function aptInstall(...packages) {
  const installed = installing.then(() => aptGet(packages));
  installing = installed;
  return installed;
}

async function aptGet(packages) {
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) return false;
  await run("apt-get", ["update", "-qq"]);
  const code = await run("apt-get", ["install", "-y", "-qq", ...packages], {
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    stdio: ["ignore", "ignore", "inherit"],
  });
  return code === 0;
}

/**
 * Path of the headless shell beside `chromium`, or of `chromium` itself where there is none and none may be installed: the
 * tests are the same in both, and slower there.
 */
export async function ensureHeadlessShell(chromium) {
  if (process.env.CHROMIUM_HEADLESS_SHELL) return process.env.CHROMIUM_HEADLESS_SHELL;
  // Debian's Chromium is the one that has a package of the shell beside it.
  if (!findHeadlessShell(chromium) && chromium === "/usr/bin/chromium") {
    console.log("No headless shell was found beside Chromium; trying to install it …");
    await aptInstall("chromium-headless-shell");
  }
  return findHeadlessShell(chromium) ?? chromium;
}

let ensured;

/** Path of a Chromium, looked for once. Stops with what to do when there is none and none may be installed. */
export function ensureChromium() {
  ensured ??= findOrInstallChromium();
  return ensured;
}

async function findOrInstallChromium() {
  let chromium = findChromium();
  if (chromium) return chromium;
  console.log("No Chromium was found; trying to install one …");
  if (!(await aptInstall("chromium"))) {
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
