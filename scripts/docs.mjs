// `npm run docs`: the documentation as a site, in dist/docs; `npm run docs -- dev` while one writes it, `npm run docs -- figures`
// to record the runs of its figures anew, `npm run docs -- reference` to write the pages that are read off the code, `npm run docs -- picture` to draw the README's.
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ensureNodeModules, root } from "./node-modules.mjs";
import { ensurePythonEnvironment, pythonProgram } from "./python-environment.mjs";
import { must } from "./run.mjs";

const docs = join(root, "docs");
const [what = "build"] = process.argv.slice(2);
if (!["build", "dev", "preview", "figures", "picture", "reference"].includes(what)) {
  console.error(`There is no docs ${what}. Choose from: build, dev, preview, figures, picture, reference.`);
  process.exit(2);
}

if (what === "figures") {
  await ensureNodeModules();
  const recipes = JSON.parse(readFileSync(join(docs, "figures.json"), "utf8"));
  mkdirSync(join(docs, "public", "traces"), { recursive: true });
  for (const [name, words] of Object.entries(recipes)) {
    const trace = join(docs, "public", "traces", `${name}.json`);
    const command = ["run", "-s", "generate", "--", ...words, "--trace", trace, "--json"];
    await must(`The run ${name} could not be recorded.`, "npm", command, {
      cwd: root,
      stdio: ["ignore", "ignore", "inherit"],
    });
  }
} else if (what === "picture") {
  await ensureNodeModules();
  const vite = join(root, "node_modules", ".bin", "vite");
  const words = ["build", "-c", "vite.embed.config.ts", "--logLevel", "warn"];
  await must("The element could not be built.", vite, words, { cwd: root });
  await (await import("./picture.mjs")).writePicture();
} else if (what === "reference") {
  await ensureNodeModules();
  await ensurePythonEnvironment();
  // The tests that hold the pages to the code write them where they are told to.
  const failed = "The reference could not be written.";
  await must(failed, join(root, "node_modules", ".bin", "vitest"), ["run", "docs/reference.test.ts", "--update"], {
    cwd: root,
  });
  await must(failed, pythonProgram("python"), [join(root, "export", "tests", "reference_pages.py")]);
} else {
  // VitePress stands on another Vite than the page does, so it has packages of its own.
  await ensureNodeModules(docs);
  await must("The documentation could not be built.", join(docs, "node_modules", ".bin", "vitepress"), [what], {
    cwd: docs,
  });
}
