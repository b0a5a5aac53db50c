import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { join, resolve } from "node:path";
import react from "@vitejs/plugin-react";
import sirv from "sirv";
import type { Connect, Plugin } from "vite";
import { defaultClientConditions } from "vite";
import { defineConfig } from "vitest/config";
import { quickWasm } from "./src/runtime/testing/quickWasm.ts";
import { licences } from "./vite.licences.ts";
import { offlineWorker } from "./vite.offline.ts";
import { ownPolicy } from "./vite.policy.ts";
import { linkPreview, siteConstants } from "./vite.site.ts";
import { testProjects } from "./vite.tests.ts";

const root = import.meta.dirname;

/** SharedArrayBuffer, and with it wasm threads, exists only on pages served like this. The page also runs without. */
const crossOriginIsolation = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
};

const licenceList = licences("page");

export default defineConfig({
  // Relative addresses, so that the built page works from any folder of any host.
  base: "./",
  // One page and no routes: a missing file is an honest 404, not index.html in disguise.
  appType: "mpa",
  plugins: [
    react(),
    servedModels(),
    layersInOrder(),
    linkPreview("./"),
    ownPolicy(),
    offlineWorker(),
    licenceList.list,
  ],
  define: siteConstants,
  // Take onnxruntime's builds that load their wasm from `wasmPaths` (set in src/runtime/runtime.ts). The self-contained ones
  // start their threads by running *this worker's* file again once a bundler has merged them into it.
  resolve: { conditions: ["onnxruntime-web-use-extern-wasm", ...defaultClientConditions] },
  optimizeDeps: { exclude: ["onnxruntime-web"] },
  // In style modules: `styles.modelDot` is `.model-dot`.
  css: { modules: { localsConvention: "camelCaseOnly" } },
  worker: { format: "es", plugins: () => [licenceList.noted()] },
  build: {
    target: "es2023",
    chunkSizeWarningLimit: 1000,
    // Of the page alone: lists of what each later part needs would be read by everybody, who mostly never opens it.
    modulePreload: {
      polyfill: false,
      resolveDependencies: (_, parts, { hostType }) => (hostType === "html" ? parts : []),
    },
  },
  server: { headers: crossOriginIsolation },
  preview: { headers: crossOriginIsolation },
  test: {
    environment: "node",
    tags: [{ name: "slow", description: "takes long: `npm test` leaves it out, `npm run test:all` does not" }],
    execArgv: [...quickWasm],
    // Tests that run a real model in wasm share their cores with whatever else the machine does.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    projects: testProjects(root),
  },
});

/**
 * Says in front of every style sheet which layer goes over which, as `base.css` does: layers stand in the order in which they
 * are first named, and a build links the styles that a later part of the page has, too, before those of the page.
 */
function layersInOrder(): Plugin {
  const [order] = /@layer [^;{]+;/.exec(readFileSync(join(root, "src/studio/panels/base.css"), "utf8")) ?? [];
  return {
    name: "elf:layers-in-order",
    generateBundle: {
      order: "post",
      handler(_, bundle) {
        if (!order) this.error("base.css does not say in which order the layers stand.");
        for (const file of Object.values(bundle)) {
          if (file.type === "asset" && file.fileName.endsWith(".css")) file.source = `${order}${file.source}`;
        }
      },
    },
  };
}

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
    configureServer: ({ middlewares }) => serveModels(middlewares, folders),
    configurePreviewServer: ({ middlewares }) => serveModels(middlewares, folders),
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

/** Under `/models` the files of all folders, those of the first before those of the next, in ranges where they are asked for. */
function serveModels(middlewares: Connect.Server, folders: readonly string[]): void {
  middlewares.use("/models/index.json", (_, response) => {
    tellHow(response);
    response.setHeader("Content-Type", "application/json; charset=utf-8").end(shippedNames());
  });
  // `dev`: what lies there now is served, not what lay there at the start.
  for (const folder of folders) {
    middlewares.use("/models", sirv(folder, { dev: true, extensions: [], setHeaders: tellHow }));
  }
  middlewares.use("/models", ({ url }, response) => {
    response.writeHead(404, { "Content-Type": "text/plain" }).end(`There is no model file ${url}\n`);
  });
}

function tellHow(response: ServerResponse, path = ""): void {
  for (const [name, value] of Object.entries(crossOriginIsolation)) response.setHeader(name, value);
  // Models are written again while one works on them.
  response.setHeader("Cache-Control", "no-cache");
  // Which no list of types names.
  if (path.endsWith(".onnx")) response.setHeader("Content-Type", "application/octet-stream");
}
