import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";

const nginx = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/bin/nginx", "/opt/homebrew/bin/nginx"].find(existsSync);

/** What is served: one file of each kind that the build writes. */
const WEIGHTS = Buffer.from(Array.from({ length: 5000 }, (_, i) => i % 251));
const SCRIPT = `export const words = ${JSON.stringify("word ".repeat(1000))};\n`;
const FILES: Record<string, string | Buffer> = {
  "index.html": "<!doctype html><title>ELF Playground</title>\n",
  "assets/page-a1b2.js": SCRIPT,
  "assets/page-a1b2.js.gz": gzipSync(SCRIPT),
  "assets/runtime-c3d4.mjs": SCRIPT,
  "assets/runtime-c3d4.wasm": Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]),
  "embed/elf-playground.js": SCRIPT,
  "traces/tiny.json": "{}",
  "models/tiny/weights.bin": WEIGHTS,
  "models/tiny/manifest.json": JSON.stringify({ words: "word ".repeat(1000) }),
  "models/tiny/denoiser.onnx": WEIGHTS,
};

// Debian: apt-get install nginx-light. Where it is not installed, nothing says what a file of its configuration does.
describe.skipIf(!nginx)("deploy/nginx.conf", () => {
  let folder = "";
  let server: ChildProcess | undefined;
  let address = "";
  let said = "";

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "elf-nginx-"));
    for (const [path, content] of Object.entries(FILES)) {
      const file = join(folder, "html", path);
      mkdirSync(join(file, ".."), { recursive: true });
      writeFileSync(file, content);
    }
    const port = await freePort();
    address = `http://127.0.0.1:${port}`;
    const conf = readFileSync(join(import.meta.dirname, "nginx.conf"), "utf8")
      .replace("listen 8080;", `listen 127.0.0.1:${port};`)
      .replace("root /usr/share/nginx/html;", `root ${join(folder, "html")};`);
    expect(conf).not.toMatch(/listen 8080|usr\/share/);
    writeFileSync(join(folder, "server.conf"), conf);
    const places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
      (kind) => `${kind}_temp_path ${folder}/${kind};`,
    );
    writeFileSync(
      join(folder, "nginx.conf"),
      `daemon off; master_process off; pid ${folder}/pid; error_log stderr;
       events {}
       http { access_log off; ${places.join(" ")} include ${folder}/server.conf; }`,
    );
    server = spawn(nginx ?? "", ["-e", "stderr", "-p", folder, "-c", join(folder, "nginx.conf")], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    server.stderr?.on("data", (words) => {
      said += words;
    });
    await vi.waitFor(
      async () => {
        if (server?.exitCode !== null) throw new Error(`nginx does not start: ${said}`);
        expect((await fetch(address)).ok).toBe(true);
      },
      { timeout: 10_000 },
    );
  });

  afterAll(() => {
    server?.kill();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each([
    ["/", "text/html; charset=utf-8"],
    ["/assets/page-a1b2.js", "text/javascript; charset=utf-8"],
    ["/assets/runtime-c3d4.mjs", "text/javascript; charset=utf-8"],
    ["/assets/runtime-c3d4.wasm", "application/wasm"],
    ["/models/tiny/weights.bin", "application/octet-stream"],
    ["/models/tiny/denoiser.onnx", "application/octet-stream"],
    ["/models/tiny/manifest.json", "application/json"],
  ])("%s is %s, and on an isolated page", async (path, type) => {
    const { status, headers } = await fetch(address + path);
    expect(status).toBe(200);
    expect(headers.get("content-type")).toBe(type);
    expect(headers.get("cross-origin-embedder-policy")).toBe("require-corp");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
  });

  it("isolates the page, so that WebAssembly has threads", async () => {
    expect((await fetch(address)).headers.get("cross-origin-opener-policy")).toBe("same-origin");
  });

  it("what changes with its name is kept, all else is asked for again", async () => {
    const cached = async (path: string) => (await fetch(address + path)).headers.get("cache-control");
    expect(await cached("/assets/page-a1b2.js")).toBe("public, max-age=31536000, immutable");
    expect(await cached("/")).toBe("no-cache");
    expect(await cached("/models/tiny/manifest.json")).toBe("no-cache");
    const tag = (await fetch(address)).headers.get("etag") ?? "";
    expect((await fetch(address, { headers: { "If-None-Match": tag } })).status).toBe(304);
  });

  it("scripts come packed, both those packed beforehand and those that are not", async () => {
    const packed = await fetch(`${address}/assets/page-a1b2.js`, { headers: { "Accept-Encoding": "gzip" } });
    expect(packed.headers.get("content-encoding")).toBe("gzip");
    expect(Number(packed.headers.get("content-length"))).toBe(gzipSync(SCRIPT).length);
    expect(await packed.text()).toBe(SCRIPT);
    const late = await fetch(`${address}/assets/runtime-c3d4.mjs`, { headers: { "Accept-Encoding": "gzip" } });
    expect(late.headers.get("content-encoding")).toBe("gzip");
    expect(await late.text()).toBe(SCRIPT);
    const element = await fetch(`${address}/embed/elf-playground.js`, { headers: { "Accept-Encoding": "gzip" } });
    expect(element.headers.get("content-encoding")).toBe("gzip");
  });

  it("a model comes as it lies, and from the middle when asked", async () => {
    for (const path of ["/models/tiny/weights.bin", "/models/tiny/manifest.json"]) {
      const whole = await fetch(address + path, { headers: { "Accept-Encoding": "gzip" } });
      expect(whole.headers.get("content-encoding")).toBeNull();
      expect(whole.headers.get("accept-ranges")).toBe("bytes");
    }
    const rest = await fetch(`${address}/models/tiny/weights.bin`, { headers: { Range: "bytes=4990-" } });
    expect(rest.status).toBe(206);
    expect(rest.headers.get("content-range")).toBe("bytes 4990-4999/5000");
    expect(Buffer.from(await rest.arrayBuffer())).toEqual(WEIGHTS.subarray(4990));
  });

  it("other people's pages may have the element, read models and play recorded runs", async () => {
    const element = await fetch(`${address}/embed/elf-playground.js`);
    expect(element.headers.get("access-control-allow-origin")).toBe("*");
    expect(element.headers.get("cross-origin-resource-policy")).toBe("cross-origin");
    for (const path of ["/models/tiny/weights.bin", "/traces/tiny.json"]) {
      expect((await fetch(address + path)).headers.get("access-control-allow-origin"), path).toBe("*");
    }
    expect((await fetch(address)).headers.get("access-control-allow-origin")).toBeNull();
  });

  it("what is not there is not found, and that is kept by nobody", async () => {
    expect((await fetch(`${address}/models/none/manifest.json`)).status).toBe(404);
    const part = await fetch(`${address}/assets/page-0000.js`);
    expect([part.status, part.headers.get("cache-control")]).toEqual([404, null]);
    expect(part.headers.get("x-content-type-options")).toBe("nosniff");
  });
});

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}
