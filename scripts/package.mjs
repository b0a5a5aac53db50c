// `npm run package`: the npm package in package/, ready for `npm pack`: its scripts, the element, and what they are to types.
import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ensureNodeModules, root } from "./node-modules.mjs";
import { must } from "./run.mjs";

const tool = (name) => join(root, "node_modules", ".bin", name);
const types = join(root, "package", "dist", "types");

await ensureNodeModules();
// As it ships, also where a test has it built: libraries keep more words for those who develop.
const env = { ...process.env, NODE_ENV: "production" };
const vite = (...words) =>
  must("The package could not be built.", tool("vite"), ["build", "--logLevel", "warn", ...words], { cwd: root, env });
await vite("-c", "vite.package.config.ts");
await vite("-c", "vite.embed.config.ts", "--mode", "package");
await must("The package's types could not be written.", tool("tsc"), ["-p", "tsconfig.package.json"], { cwd: root });
for (const file of readdirSync(types, { recursive: true })) if (file.endsWith(".d.ts")) nameFiles(join(types, file));
copyFileSync(join(root, "LICENSE"), join(root, "package", "LICENSE"));

/** Writes relative imports as Node reads them, with the file's ending: bundlers alone do without. */
function nameFiles(file) {
  const named = readFileSync(file, "utf8").replace(/(from |import\()"(\.[^"]+)"/g, (_, before, target) => {
    if (!existsSync(join(dirname(file), `${target}.d.ts`))) throw new Error(`${file} has no types of ${target}.`);
    return `${before}"${target}.js"`;
  });
  writeFileSync(file, named);
}
