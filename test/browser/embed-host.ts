/** Pages of other people that hold `<elf-playground>`: plain HTML, served as they would serve it. */
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize, resolve, sep } from "node:path";

const root = join(import.meta.dirname, "../..");

/** What is served from where: the built element, recorded runs, and the models of the tests. */
const FOLDERS: Readonly<Record<string, string>> = {
  "/embed/": join(root, "dist/embed"),
  "/traces/": join(root, "public/traces"),
  "/models/": join(root, "test/fixtures"),
};

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".json": "application/json",
  ".wasm": "application/wasm",
};

/** The strictest policy that docs/embed.md says is enough. Nothing inline, no blob:, and Trusted Types. */
export const STRICT =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; style-src 'self'; " +
  "require-trusted-types-for 'script'; trusted-types elf-playground";

/** A box that is there before the script is, and what a page does to everything in it. */
const STYLES = `
  elf-playground:not(:defined) { display: block; height: 420px; }
  * { margin: 0; padding: 0; letter-spacing: 0.2em; text-transform: uppercase; line-height: 3; }
  body { width: 640px; }
`;

export class EmbedHost {
  readonly asked: string[] = [];
  url = "";
  /** A line of script before that of the worker, which makes a machine what it is not. */
  beforeWorker = "";
  /** What the host says of keeping its files. */
  caching = "no-cache";
  readonly #pages = new Map<string, { html: string; headers: Record<string, string> }>();
  readonly #server = createServer((request, response) => this.#answer(request, response));

  private constructor(private readonly folders: Readonly<Record<string, string>>) {}

  /** Starts a host on a free port. `others` are folders of its own, in the place of those of that name or beside them. */
  static async start(others: Readonly<Record<string, string>> = {}): Promise<EmbedHost> {
    const host = new EmbedHost({ ...FOLDERS, ...others });
    await new Promise<void>((resolve) => host.#server.listen(0, "127.0.0.1", resolve));
    host.url = `http://127.0.0.1:${(host.#server.address() as AddressInfo).port}/`;
    return host;
  }

  /** A page whose body is `body`; returns its address. */
  page(
    name: string,
    body: string,
    headers: Record<string, string> = { "Content-Security-Policy": STRICT },
    script = "/embed/elf-playground.js",
  ): string {
    const html = `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<title>${name}</title><link rel="stylesheet" href="/host.css"><script type="module" src="${script}"></script></head><body>${body}</body></html>`;
    this.#pages.set(`/${name}.html`, { html, headers: { "Content-Type": "text/html", ...headers } });
    return `${this.url}${name}.html`;
  }

  /** A script of the page's own, at its address. */
  script(path: string, text: string): void {
    this.#pages.set(path, { html: text, headers: { "Content-Type": "text/javascript" } });
  }

  async stop(): Promise<void> {
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = normalize(decodeURIComponent(new URL(request.url ?? "/", "http://host").pathname));
    this.asked.push(path);
    const page = this.#pages.get(path);
    response.setHeader("Cache-Control", this.caching);
    if (page) return void response.writeHead(200, page.headers).end(page.html);
    if (path === "/host.css") return void response.writeHead(200, { "Content-Type": "text/css" }).end(STYLES);
    const [name = "", folder = ""] = Object.entries(this.folders).find(([name]) => path.startsWith(name)) ?? [];
    const file = resolve(folder, path.slice(name.length));
    if (folder === "" || !file.startsWith(folder + sep) || !existsSync(file) || !statSync(file).isFile()) {
      return void response.writeHead(404).end();
    }
    const before = /\/worker-[^/]*\.js$/.test(path) ? this.beforeWorker : "";
    response.writeHead(200, {
      "Content-Type": TYPES[extname(file)] ?? "application/octet-stream",
      "Content-Length": before.length + statSync(file).size,
      "Access-Control-Allow-Origin": "*",
      // A worker has the policy of its own answer.
      ...(extname(file) === ".js"
        ? { "Content-Security-Policy": STRICT, "Cross-Origin-Embedder-Policy": "require-corp" }
        : {}),
    });
    response.write(before);
    createReadStream(file).pipe(response);
  }
}
