// `npm run build`: the page and the element as plain files, in dist/, with `--docs` the documentation beside them. What a build can be told stands in docs/hosting.md.
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ensureNodeModules, root } from "./node-modules.mjs";
import { must } from "./run.mjs";

const { baseModels, site, docs } = readBuildWords(process.argv.slice(2));
await ensureNodeModules();
const env = { ...process.env, ELF_BASE_MODELS: baseModels, ELF_SITE: site, ELF_DOCS: docs ? "docs/index.html" : "" };
const vite = join(root, "node_modules", ".bin", "vite");
await must("The page could not be built.", vite, ["build"], { cwd: root, env });
await must("The element could not be built.", vite, ["build", "-c", "vite.embed.config.ts"], { cwd: root, env });
const documentation = [join(root, "scripts", "docs.mjs")];
if (docs) await must("The documentation could not be built.", process.execPath, documentation, { cwd: root, env });

/** What the words behind `npm run build --` say; the environment says the rest. Stops with what to do where they are wrong. */
function readBuildWords(words) {
  try {
    const { values } = parseArgs({
      args: words,
      options: { "base-models": { type: "string" }, site: { type: "string" }, docs: { type: "boolean" } },
    });
    return {
      baseModels: folder("--base-models", values["base-models"] ?? process.env.ELF_BASE_MODELS ?? ""),
      site: folder("--site", values.site ?? process.env.ELF_SITE ?? ""),
      docs: values.docs ?? false,
    };
  } catch (error) {
    console.error(
      `${error.message}\nusage: npm run build -- [--base-models https://HOST/FOLDER/] [--site https://HOST/FOLDER/] [--docs]`,
    );
    process.exit(2);
  }
}

/** The address of a folder, with the slash that it ends in; empty where none is given. */
function folder(option, text) {
  if (text === "") return "";
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.search || url.hash) {
    throw new Error(`${option} is “${text}”, which is no plain address of a folder.`);
  }
  return url.href.replace(/\/?$/, "/");
}
