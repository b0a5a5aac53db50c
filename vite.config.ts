import { cpSync, createReadStream, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { extname, join, normalize, resolve, sep } from "node:path";
import react from "@vitejs/plugin-react";
import type { Connect, Plugin } from "vite";
import { defaultClientConditions } from "vite";
import { defineConfig } from "vitest/config";
import { linkPreview, siteConstants } from "./vite.site.ts";

const root = import.meta.dirname;

/** SharedArrayBuffer, and with it wasm threads, exists only on pages served like this. The page also runs without. */
const crossOriginIsolation = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
};

export default defineConfig({
  // Relative addresses, so that the built page works from any folder of any host.
  base: "./",
  // One page and no routes: a missing file is an honest 404, not index.html in disguise.
  appType: "mpa",
  plugins: [react(), servedModels(), linkPreview("./")],
  define: siteConstants,
  // Take onnxruntime's builds that load their wasm from `wasmPaths` (set in src/runtime/runtime.ts). The self-contained ones
  // start their threads by running *this worker's* file again once a bundler has merged them into it.
  resolve: { conditions: ["onnxruntime-web-use-extern-wasm", ...defaultClientConditions] },
  optimizeDeps: { exclude: ["onnxruntime-web"] },
  // In the panels' style modules: `styles.modelDot` is `.model-dot`.
  css: { modules: { localsConvention: "camelCaseOnly" } },
  worker: { format: "es" },
  build: { target: "es2023", chunkSizeWarningLimit: 1000 },
  server: { headers: crossOriginIsolation },
  preview: { headers: crossOriginIsolation },
  test: {
    environment: "node",
    include: ["{src,deploy,package,docs}/**/*.test.{ts,tsx}"],
    // Tests that run a real model in wasm share their cores with whatever else the machine does.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});

/**
 * Serves `models/NAME/…` from the repository's `models/` folder and copies that folder into the build. While developing
 * and in the browser tests, the test fixtures' models are found under the same address; they are never built in, nor
 * named in the list of models, `models/index.json`.
 */
function servedModels(): Plugin {
  const folders = [join(root, "models"), join(root, "test", "fixtures")];
  let outDir: string | undefined;
  return {
    name: "elf:served-models",
    configResolved(config) {
      if (config.command === "build") outDir = resolve(config.root, config.build.outDir);
    },
    configureServer: (server) => void server.middlewares.use("/models", modelFiles(folders)),
    configurePreviewServer: (server) => void server.middlewares.use("/models", modelFiles(folders)),
    closeBundle() {
      const models = join(root, "models");
      if (!outDir || !existsSync(models)) return;
      // Those that lie elsewhere are named all the same.
      if (process.env.ELF_BASE_MODELS) mkdirSync(join(outDir, "models"), { recursive: true });
      else cpSync(models, join(outDir, "models"), { recursive: true });
      writeFileSync(join(outDir, "models", "index.json"), shippedNames());
    },
  };
}

/** `models/index.json`: the names of the models that ship, for the page's shelf. */
function shippedNames(): string {
  const folder = join(root, "models");
  const names = existsSync(folder) ? readdirSync(folder) : [];
  return JSON.stringify(names.filter((name) => existsSync(join(folder, name, "manifest.json"))).sort());
}

const contentTypes: Record<string, string> = {
  ".json": "application/json; charset=utf-8",
  ".md": "text/markdown; charset=utf-8",
  ".onnx": "application/octet-stream",
  ".bin": "application/octet-stream",
};

function modelFiles(folders: readonly string[]): Connect.NextHandleFunction {
  return (request: IncomingMessage, response: ServerResponse) => {
    const path = normalize(decodeURIComponent(new URL(request.url ?? "/", "http://host").pathname));
    if (path === `${sep}index.json`) {
      response.writeHead(200, { ...crossOriginIsolation, "Content-Type": contentTypes[".json"] }).end(shippedNames());
      return;
    }
    const file = folders.map((folder) => join(folder, path)).find((candidate) => isFileIn(candidate, folders));
    if (file === undefined) {
      response.writeHead(404, { "Content-Type": "text/plain" }).end(`There is no model file ${path}\n`);
      return;
    }
    const size = statSync(file).size;
    const range = parseRange(request.headers.range, size);
    if (range === "unsatisfiable") {
      response.writeHead(416, { "Content-Range": `bytes */${size}` }).end();
      return;
    }
    const { first, last } = range ?? { first: 0, last: size - 1 };
    response.writeHead(range ? 206 : 200, {
      ...crossOriginIsolation,
      "Content-Type": contentTypes[extname(file)] ?? "application/octet-stream",
      "Content-Length": last - first + 1,
      "Accept-Ranges": "bytes",
      // Models are written again while one works on them.
      "Cache-Control": "no-cache",
      ...(range ? { "Content-Range": `bytes ${first}-${last}/${size}` } : {}),
    });
    if (request.method === "HEAD" || size === 0) response.end();
    else createReadStream(file, { start: first, end: last }).pipe(response);
  };
}

function isFileIn(file: string, folders: readonly string[]): boolean {
  return folders.some((folder) => file.startsWith(folder + sep)) && existsSync(file) && statSync(file).isFile();
}

/** Reads one `bytes=first-last` range; several ranges, or none, mean the whole file. */
function parseRange(
  header: string | undefined,
  size: number,
): { first: number; last: number } | "unsatisfiable" | null {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (!match || (match[1] === "" && match[2] === "")) return null;
  const suffix = match[1] === "";
  const first = suffix ? Math.max(0, size - Number(match[2])) : Number(match[1]);
  const last = suffix || match[2] === "" ? size - 1 : Math.min(size - 1, Number(match[2]));
  return first > last ? "unsatisfiable" : { first, last };
}
