import { readFileSync } from "node:fs";
import { join } from "node:path";
import { defaultClientConditions, defineConfig, type Plugin } from "vite";

const root = import.meta.dirname;
const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(root, "package", "package.json"), "utf8"));
const libraries = Object.keys({ ...dependencies, ...peerDependencies });

/** What the package's reader installs beside it, and what Node has itself. */
function isOutside(id: string): boolean {
  // The runtime's own parts lie in the package: their addresses are taken, not their code.
  if (id.includes("?url")) return false;
  return id.startsWith("node:") || libraries.some((name) => id === name || id.startsWith(`${name}/`));
}

/**
 * Leaves the start of the worker as bundlers know it, with the module of the worker beside the script that starts it. Vite
 * would make an address of it that only its own output understands.
 */
function workerLeftToBundlers(): Plugin {
  const written = 'new URL("./worker.ts", import.meta.url)';
  const mark = "__ENGINE_ADDRESS__";
  return {
    name: "elf:worker-left-to-bundlers",
    enforce: "pre",
    transform(code, id) {
      if (!id.endsWith("/src/worker/client.ts")) return null;
      if (!code.includes(written)) this.error(`${id} no longer starts its worker by ${written}.`);
      return { code: code.replace(written, mark), map: null };
    },
    renderChunk(code, { fileName }) {
      if (!code.includes(mark)) return null;
      const engine = fileName.includes("/") ? "../engine.js" : "./engine.js";
      return { code: code.replace(mark, `new URL("${engine}", import.meta.url)`), map: null };
    },
  };
}

/** The component has the element as it lies in the package, which brings views of its own, not one in the reader's React. */
function elementFromThePackage(): Plugin {
  return {
    name: "elf:element-from-the-package",
    enforce: "pre",
    resolveId(source, importer) {
      if (source !== "./main" || !importer?.endsWith("/src/embed/react.tsx")) return null;
      return { id: "elf-playground/element", external: true };
    },
  };
}

/** Vite puts a function of its own around late imports. Where Vite builds again with what comes out, it would be there twice. */
function lateImportsUnderAnotherName(): Plugin {
  return {
    name: "elf:late-imports-under-another-name",
    renderChunk: {
      order: "post",
      handler: (code) => ({ code: code.replaceAll("__vitePreload", "importLate"), map: null }),
    },
  };
}

/** Builds what the npm package consists of beside the element (`vite.embed.config.ts`), into `package/dist/`. */
export default defineConfig({
  base: "./",
  publicDir: false,
  plugins: [workerLeftToBundlers(), elementFromThePackage(), lateImportsUnderAnotherName()],
  resolve: { conditions: ["onnxruntime-web-use-extern-wasm", ...defaultClientConditions] },
  build: {
    outDir: "package/dist",
    emptyOutDir: true,
    target: "es2023",
    // Whoever uses it minifies what he ships, and reads what he debugs.
    minify: false,
    modulePreload: false,
    rolldownOptions: {
      input: {
        index: "src/package/index.ts",
        node: "src/package/node.ts",
        worker: "src/package/worker.ts",
        engine: "src/worker/worker.ts",
        react: "src/embed/react.tsx",
        cli: "src/cli/main.ts",
      },
      external: isOutside,
      preserveEntrySignatures: "strict",
      output: {
        entryFileNames: "[name].js",
        chunkFileNames: "shared/[name]-[hash].js",
        assetFileNames: "runtime/[name]-[hash][extname]",
      },
    },
  },
});
