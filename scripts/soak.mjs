// `npm run soak`: the same things done again and again, and whether anything grows by it (test/soak).
import { join } from "node:path";
import { ensureChromium } from "./browsers.mjs";
import { ensureNodeModules, root } from "./node-modules.mjs";
import { run } from "./run.mjs";
import { buildForTests } from "./tested-build.mjs";

await ensureNodeModules();
const tsx = join(root, "node_modules", ".bin", "tsx");
const env = { ...process.env, CHROMIUM: await ensureChromium() };
const code = await buildForTests();
if (code !== 0) process.exit(code);
const program = join(root, "test", "soak", "run.ts");
process.exit(await run(tsx, [program, ...process.argv.slice(2)], { cwd: root, env }));
