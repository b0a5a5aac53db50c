// `npm run soak`: the same things done again and again, and whether anything grows by it (test/soak).
import { join } from "node:path";
import { ensureChromium } from "./browsers.mjs";
import { ensureNodeModules, root } from "./node-modules.mjs";
import { run } from "./run.mjs";

await ensureNodeModules();
const tool = (name) => join(root, "node_modules", ".bin", name);
const env = { ...process.env, CHROMIUM: await ensureChromium() };
for (const wanted of [[], ["-c", "vite.embed.config.ts"]]) {
  const code = await run(tool("vite"), ["build", "--logLevel", "warn", ...wanted], { cwd: root });
  if (code !== 0) process.exit(code);
}
const program = join(root, "test", "soak", "run.ts");
process.exit(await run(tool("tsx"), [program, ...process.argv.slice(2)], { cwd: root, env }));
