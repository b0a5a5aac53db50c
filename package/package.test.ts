/** The npm package as others get it: what `npm pack` makes of `npm run package`, put into projects that know nothing of ours. */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { build } from "vite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { quickWasm } from "../src/runtime/testing/quickWasm";
import { projectWithPackage, run } from "./installed";

const folder = import.meta.dirname;
const root = join(folder, "..");
const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
const ours = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

let place = "";
let tarball = "";
let installed = "";

beforeAll(() => {
  const libraries = ["react-dom", "scheduler", "@types/node", "@types/react"];
  const project = projectWithPackage(Object.fromEntries(libraries.map((name) => [name, "node_modules"])));
  ({ place, tarball, installed } = project);
}, 300_000);

afterAll(() => rmSync(place, { recursive: true, force: true }));

const filesOf = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) => statSync(join(folder, file)).isFile());

describe("what is packed", () => {
  it("is scripts, types, the runtime and a README of its own: no models, no tests, no sources", () => {
    const kinds = new Set(filesOf(installed).map((file) => file.split("/").slice(0, 2).join("/")));
    const dist = [
      "cli.js",
      "engine.js",
      "index.js",
      "node.js",
      "react.js",
      "worker.js",
      "element",
      "runtime",
      "shared",
      "types",
    ];
    expect([...kinds].sort()).toEqual(
      [...dist.map((name) => `dist/${name}`), "LICENSE", "README.md", "package.json"].sort(),
    );
    expect(filesOf(installed).filter((file) => /\.test\.|\.onnx$|\.bin$|(?<!\.d)\.tsx?$/.test(file))).toEqual([]);
    expect(readFileSync(join(installed, "README.md"), "utf8")).toMatch(/^# elf-playground\n/);
    // The element brings its libraries along, and so their licences.
    const licences = readFileSync(join(installed, "dist/element/licences.md"), "utf8");
    for (const name of ["preact", "zod", "onnxruntime-web"]) expect(licences).toContain(`\n## ${name} `);
  });

  it("names no library but those that it depends on, in this project's versions", () => {
    for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.peerDependencies })) {
      // Of React every version is well that knows effects.
      if (name !== "react") expect(`${name} ${ours.dependencies[name]}`).toBe(`${name} ${version}`);
    }
    const known = ["elf-playground", ...Object.keys(manifest.dependencies), ...Object.keys(manifest.peerDependencies)];
    const scripts = filesOf(installed).filter((file) => /^dist\/([\w-]+|shared\/[\w.-]+)\.js$/.test(file));
    const named = scripts.flatMap((file) => {
      const text = readFileSync(join(installed, file), "utf8");
      return [...text.matchAll(/^(?:import|export) .*?from "([^".][^"]*)"|import\("([^".][^"]*)"\)/gm)].map(
        (m) => m[1] ?? m[2],
      );
    });
    const strange = named.filter(
      (name) => name && !name.startsWith("node:") && !known.some((k) => name === k || name.startsWith(`${k}/`)),
    );
    expect(strange).toEqual([]);
  });

  it("has exports that exist and that publint has nothing against (point 29)", async () => {
    const { messages, pkg } = await publint({ pkgDir: installed, pack: false, strict: true });
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
  });

  // Slow: it reads all types anew for each of these ways.
  it("has types that every way of resolving modules finds", { tags: "slow", timeout: 120_000 }, () => {
    const words = [tarball, "--profile", "esm-only", "--format", "json"];
    const attw = spawnSync(join(root, "node_modules", ".bin", "attw"), words, { cwd: place, encoding: "utf8" });
    const { problems = {} } = JSON.parse(attw.stdout) as { problems?: Record<string, unknown> };
    // Those of CommonJS and of TypeScript's oldest way, for neither of which this package is.
    expect(Object.keys(problems).filter((kind) => kind !== "CJSResolvesToESM" && kind !== "NoResolution")).toEqual([]);
    expect(attw.status).toBe(0);
  });

  it.each([
    // As they lie in the package, not minified, and without the libraries that they name.
    ["index.js", 100],
    ["node.js", 102],
    ["cli.js", 28],
    ["worker.js", 50],
    // What computes, in a worker; and the component, beside the element and React.
    ["engine.js", 96],
    ["react.js", 4],
    ["element/elf-playground.js", 60],
  ])("%s and what it takes at once are at most %i kB packed", (entry, most) => {
    expect(weightOf(join(installed, "dist", entry)) / 1000).toBeLessThanOrEqual(most);
  });
});

/** Bytes, packed, of a script and of all that it imports at once. */
function weightOf(entry: string, seen = new Set<string>()): number {
  if (seen.has(entry)) return 0;
  seen.add(entry);
  const text = readFileSync(entry, "utf8");
  const next = [...text.matchAll(/(?:from|import)\s*"(\.[^"]+\.js)"/g)].map(([, name = ""]) => join(entry, "..", name));
  return next.reduce((sum, file) => sum + weightOf(file, seen), gzipSync(text).length);
}

describe("in a project that installs it", () => {
  const model = join(root, "test", "fixtures", "tiny-model");

  it("ten lines write a text in Node (point 27)", () => {
    writeFileSync(
      join(place, "ten-lines.mjs"),
      `import { generate, loadModel } from "elf-playground";
       const model = await loadModel(${JSON.stringify(model)});
       const controller = new AbortController();
       const times = [];
       for await (const frame of generate({ model, settings: { steps: 3, seed: 7 }, signal: controller.signal })) {
         times.push(frame.t);
       }
       await model.dispose();
       console.log(JSON.stringify(times));`,
    );
    const times = JSON.parse(run(process.execPath, [...quickWasm, "ten-lines.mjs"], place));
    expect(times).toHaveLength(4);
    expect(times[0]).toBe(0);
    expect(times[3]).toBe(1);
  });

  it("what its README shows for Node runs", () => {
    const readme = readFileSync(join(installed, "README.md"), "utf8");
    const samples = [...readme.matchAll(/```js\n(.*?)```/gs)].map(([, code = ""]) => code);
    const ours = samples.filter((code) => code.includes('from "elf-playground";'));
    expect(ours).toHaveLength(2);
    for (const code of ours) {
      // A model that answers at once, and reads less.
      const tiny = JSON.stringify(join(root, "test", "fixtures", "tiny-two-pass"));
      const own = code.replace('"./models/stories"', tiny).replace("Lily went to the beach.", "a");
      writeFileSync(join(place, "sample.mjs"), own);
      run(process.execPath, [...quickWasm, "sample.mjs"], place);
    }
    expect(JSON.parse(readFileSync(join(place, "run.json"), "utf8"))).toMatchObject({ held: [{ position: 3 }] });
  });

  it("the command writes a run, and tells what it wrote", () => {
    const command = join(installed, manifest.bin["elf-playground"]);
    const words = ["generate", "--model", model, "--steps", "3", "--seed", "7", "--trace", "run.json"];
    const text = run(process.execPath, [...quickWasm, command, ...words], place).trim();
    const facts = JSON.parse(run(process.execPath, [command, "trace", "run.json", "--json"], place));
    expect(facts).toMatchObject({ steps: 3, text });
  });

  it("importing the element on a server does no harm", () => {
    writeFileSync(
      join(place, "server.mjs"),
      'import { ElfPlayground } from "elf-playground/element"; console.log(typeof ElfPlayground);',
    );
    expect(run(process.execPath, ["server.mjs"], place).trim()).toBe("function");
  });

  it.each(["node16", "bundler"])("TypeScript knows its types by %s", (moduleResolution) => {
    writeFileSync(
      join(place, "typed.ts"),
      `import { type ElfModel, generate, loadModel, type TextFrame } from "elf-playground";
       import { createEngine, type EngineClient } from "elf-playground/worker";
       import type { ElfPlayground } from "elf-playground/element";
       import { type ElfPlaygroundProps } from "elf-playground/react";
       const props: ElfPlaygroundProps = { controls: ["play"], onElfDone: ({ text }: { text: string }) => void text };
       void props;
       const model: ElfModel = await loadModel("x", { backend: "wasm" });
       for await (const frame of generate({ model, prompt: "a" })) { const text: string = (frame satisfies TextFrame).text; void text; }
       const engine: EngineClient = createEngine();
       void engine;
       const element = document.querySelector<ElfPlayground>("elf-playground");
       void element?.play();
       // @ts-expect-error a setting that there is not
       generate({ model, settings: { stepz: 3 } });`,
    );
    const options = { module: moduleResolution === "node16" ? "node16" : "esnext", moduleResolution };
    const compilerOptions = {
      ...options,
      target: "es2023",
      strict: true,
      noEmit: true,
      types: ["node"],
    };
    writeFileSync(join(place, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["typed.ts"] }));
    expect(run(join(root, "node_modules", ".bin", "tsc"), ["-p", "."], place)).toBe("");
  }, 120_000);

  it("Vite builds it without a word of configuration, the worker and its runtime included", async () => {
    writeFileSync(join(place, "index.html"), '<script type="module" src="./page.js"></script>');
    writeFileSync(
      join(place, "page.js"),
      `import { createEngine } from "elf-playground/worker";
       import { readTrace } from "elf-playground";
       import { ElfPlayground } from "elf-playground/react";
       globalThis.view = ElfPlayground;
       globalThis.engine = createEngine();
       globalThis.readTrace = readTrace;`,
    );
    await build({ root: place, configFile: false, logLevel: "error", build: { outDir: "built" } });
    const built = readdirSync(join(place, "built", "assets"));
    expect(built).toContainEqual(expect.stringMatching(/^engine-.+\.js$/));
    for (const kind of ["", ".jspi", ".asyncify"]) {
      expect(built).toContainEqual(expect.stringMatching(new RegExp(`^ort-wasm-simd-threaded${kind}-.+\\.wasm$`)));
    }
  }, 300_000);
});
