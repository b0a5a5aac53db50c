/** The three engines of browsers, each driven by what its makers offer, behind one face. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import puppeteer from "puppeteer-core";
import { Builder, By, Key, until, type WebDriver } from "selenium-webdriver";

/** A tab of a browser. What is pressed and typed goes the way of a person's. */
export interface Tab {
  open(url: string): Promise<void>;
  /** The value of an expression of the page. */
  read<T>(expression: string): Promise<T>;
  press(selector: string): Promise<void>;
  /** A letter or `Home`, to whatever has the focus. */
  key(name: string): Promise<void>;
  /** The browser, in words. */
  readonly version: string;
  close(): Promise<void>;
}

export interface Engine {
  readonly name: "Chromium" | "Firefox" | "WebKit";
  /** The program that is run; undefined where there is none. */
  readonly program: string | undefined;
  start(): Promise<Tab>;
}

/** Those whose programs the environment names, as `scripts/engines.mjs` does. */
export function engines(): Engine[] {
  const { CHROMIUM = "", FIREFOX = "", WEBKIT_DRIVER = "", WEBKIT_WINDOW = "" } = process.env;
  return [
    { name: "Chromium", program: CHROMIUM || undefined, start: () => startPuppeteer("chrome", CHROMIUM) },
    { name: "Firefox", program: FIREFOX || undefined, start: () => startPuppeteer("firefox", FIREFOX) },
    { name: "WebKit", program: WEBKIT_DRIVER || undefined, start: () => startWebKit(WEBKIT_DRIVER, WEBKIT_WINDOW) },
  ];
}

async function startPuppeteer(browser: "chrome" | "firefox", executablePath: string): Promise<Tab> {
  const started = await puppeteer.launch({
    browser,
    executablePath,
    headless: true,
    args: browser === "chrome" ? ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] : [],
  });
  const page = await started.newPage();
  await page.setViewport({ width: 1280, height: 900 });
  return {
    version: await started.version(),
    open: async (url) => void (await page.goto(url)),
    read: (expression) => page.evaluate(expression) as Promise<never>,
    press: (selector) => page.locator(selector).click(),
    key: (name) => page.keyboard.press(name as "Home"),
    close: () => started.close(),
  };
}

/** WebKitGTK has no mode without a window: it gets a screen that nobody sees. */
async function startWebKit(driver: string, window: string): Promise<Tab> {
  const screen = await startScreen();
  const folder = mkdtempSync(join(tmpdir(), "elf-webkit-"));
  const port = 20_000 + Math.floor(Math.random() * 20_000);
  const server = spawn(driver, [`--port=${port}`, "--host=127.0.0.1"], {
    env: { ...process.env, DISPLAY: screen.display, HOME: folder, XDG_DATA_HOME: folder, XDG_CACHE_HOME: folder },
    stdio: "ignore",
  });
  const end = async () => {
    const over = new Promise((resolve) => server.once("exit", resolve));
    server.kill();
    await over;
    screen.process.kill();
    // What it has started writes a little longer than it lives.
    rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 200 });
  };
  try {
    const web = await connected(`http://127.0.0.1:${port}`, window);
    const capabilities = await web.getCapabilities();
    const version = `${capabilities.getBrowserName()} ${capabilities.getBrowserVersion()}`;
    return {
      version,
      open: (url) => web.get(url),
      read: (expression) => web.executeScript(`return (${expression})`),
      press: async (selector) => {
        // The other drivers wait for what is to be pressed, too.
        const found = await web.wait(until.elementLocated(By.css(selector)), 20_000);
        await web.executeScript("arguments[0].scrollIntoView({ block: 'center' })", found);
        await found.click();
      },
      key: async (name) => {
        const special = name === "Home" ? Key.HOME : name;
        await web.switchTo().activeElement().sendKeys(special);
      },
      close: async () => {
        await web.quit().catch(() => {});
        await end();
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}

/** A session with the driver, which takes a moment to listen. */
async function connected(url: string, window: string): Promise<WebDriver> {
  const options = {
    browserName: "MiniBrowser",
    "webkitgtk:browserOptions": { binary: window, args: ["--automation"] },
  };
  for (let tries = 0; ; tries++) {
    try {
      return await new Builder().usingServer(url).withCapabilities(options).build();
    } catch (error) {
      if (tries > 20) throw error;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
  }
}

async function startScreen(): Promise<{ display: string; process: ChildProcess }> {
  const process = spawn("Xvfb", ["-displayfd", "3", "-screen", "0", "1280x900x24", "-nolisten", "tcp"], {
    stdio: ["ignore", "ignore", "ignore", "pipe"],
  });
  const display = await new Promise<string>((resolve, reject) => {
    process.on("error", reject);
    process.on("exit", () => reject(new Error("Xvfb ended.")));
    process.stdio[3]?.once("data", (data: Buffer) => resolve(`:${String(data).trim()}`));
  });
  return { display, process };
}
