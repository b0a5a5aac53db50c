import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { defaultClientConditions, defineConfig, type Plugin, preprocessCSS, type ResolvedConfig } from "vite";
import { licences } from "./vite.licences.ts";
import { linkPreview, siteConstants } from "./vite.site.ts";

/**
 * Writes the start of the worker as bundlers know it, should somebody build again with what comes out: of what Vite makes of
 * it they would take the worker's script for a file like any other, and leave what it imports behind.
 */
function workerAsWritten(): Plugin {
  const made =
    /new URL\((?:(["'`])\1\+)?new URL\((["'`])(worker-[\w-]+\.js)\2,import\.meta\.url\)\.href,(?:(["'`])\4\+)?import\.meta\.url\)/g;
  return {
    name: "elf:worker-as-written",
    generateBundle: {
      order: "post",
      handler(_, bundle) {
        let found = 0;
        for (const chunk of Object.values(bundle)) {
          if (chunk.type !== "chunk") continue;
          chunk.code = chunk.code.replace(made, (_, __, ___, name) => {
            found++;
            return `new URL("./${name}",import.meta.url)`;
          });
        }
        if (found === 0) this.error("The start of the worker is not written as it was.");
      },
    },
  };
}

/** Writes `integrity.json` beside the script: what pages of others may give its tag, for a browser to run this script and no other. */
function checksumOfScript(): Plugin {
  return {
    name: "elf:checksum-of-script",
    generateBundle: {
      order: "post",
      handler(_, bundle) {
        const name = "elf-playground.js";
        const script = bundle[name];
        if (script?.type !== "chunk") this.error(`There is no ${name}.`);
        const checksum = `sha384-${createHash("sha384").update(script.code).digest("base64")}`;
        this.emitFile({ type: "asset", fileName: "integrity.json", source: JSON.stringify({ [name]: checksum }) });
      },
    },
  };
}

/**
 * Writes into each view the names of the classes that it asks a module of styles for. The styles themselves come as text for the
 * shadow root (`src/player/styles.ts`): a style sheet beside the script would be for nobody, and a list of all names weighs.
 */
function styleNamesOnly(): Plugin {
  let config: ResolvedConfig;
  return {
    name: "elf:style-names-only",
    enforce: "pre",
    configResolved(resolved) {
      config = resolved;
    },
    transform: {
      filter: { id: /\.tsx$/ },
      async handler(code, id) {
        let written = code;
        for (const [line, name, address = ""] of code.matchAll(/import (\w+) from "(\.[^"]+\.module\.css)";/g)) {
          const file = resolve(dirname(id), address);
          this.addWatchFile(file);
          const { modules = {} } = await preprocessCSS(await readFile(file, "utf8"), file, config);
          written = written.replace(line, "").replace(new RegExp(`\\b${name}\\.(\\w+)`, "g"), (_, key: string) => {
            const known = modules[key];
            if (known === undefined) this.error(`${id} asks for ${key}, which ${address} does not have.`);
            return JSON.stringify(known);
          });
        }
        return { code: written, map: null };
      },
    },
  };
}

/**
 * Builds `<elf-playground>` into a folder that may be put anywhere, `dist/embed/`: the script that pages name, and beside it
 * the parts that it fetches when they are wanted, by addresses relative to its own. With `--mode package` into the npm
 * package, where it shares the runtime's files with the engine (`vite.package.config.ts`).
 */
export default defineConfig(({ mode }) => {
  const isPackage = mode === "package";
  const scripts = isPackage ? "element/" : "";
  // Whoever puts a copy of it on his own host hands these packages on.
  const licenceList = licences("element", scripts);
  const assets = isPackage ? "runtime/[name]-[hash][extname]" : "[name]-[hash][extname]";
  return {
    base: "./",
    publicDir: false,
    ...(isPackage ? {} : { define: siteConstants }),
    plugins: [
      styleNamesOnly(),
      workerAsWritten(),
      licenceList.list,
      ...(isPackage ? [] : [linkPreview("../"), checksumOfScript()]),
    ],
    css: {
      modules: {
        localsConvention: "camelCaseOnly",
        // Short, and no other styles are in a shadow root.
        generateScopedName: (name, file) => `${basename(file).split(".", 1)[0]}-${name}`,
      },
    },
    resolve: {
      // A tenth of React's size, for a script that comes along in other people's pages.
      alias: {
        "react-dom/client": "preact/compat/client",
        "react-dom": "preact/compat",
        "react/jsx-runtime": "preact/jsx-runtime",
        react: "preact/compat",
      },
      conditions: ["onnxruntime-web-use-extern-wasm", ...defaultClientConditions],
    },
    worker: {
      format: "es",
      plugins: () => [licenceList.noted()],
      rolldownOptions: {
        output: {
          entryFileNames: `${scripts}[name]-[hash].js`,
          ...(isPackage ? { chunkFileNames: `${scripts}[name]-[hash].js`, assetFileNames: assets } : {}),
        },
      },
    },
    build: {
      outDir: isPackage ? "package/dist" : "dist/embed",
      emptyOutDir: !isPackage,
      target: "es2023",
      // Those that have light-dark() themselves: what a build puts in its place follows the system's colour scheme only, not that
      // of the element.
      cssTarget: ["chrome123", "firefox120", "safari17.5"],
      // The page around has an opinion on what is fetched when.
      modulePreload: false,
      chunkSizeWarningLimit: 1000,
      rolldownOptions: {
        // Beside the script the page that shows an element in a frame.
        input: { "elf-playground": "src/embed/main.ts", ...(isPackage ? {} : { embed: "embed.html" }) },
        preserveEntrySignatures: "allow-extension",
        output: {
          entryFileNames: ({ name }) => `${scripts}${name === "elf-playground" ? "[name]" : "[name]-[hash]"}.js`,
          // Beside the script: parts of it find the models by where they lie.
          chunkFileNames: `${scripts}[name]-[hash].js`,
          assetFileNames: assets,
        },
      },
    },
  };
});
