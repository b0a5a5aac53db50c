// `npm run bench`: measures the loop on the GPU against plain ones in a headless Chromium (src/bench/bench.ts).
import { join } from "node:path";
import { ensureChromium } from "./browsers.mjs";
import { ensureNodeModules, root } from "./node-modules.mjs";
import { run } from "./run.mjs";

await ensureNodeModules();
const words = process.argv.slice(2);
const env = words.includes("--node") ? process.env : { ...process.env, CHROMIUM: await ensureChromium() };
const tsx = join(root, "node_modules", ".bin", "tsx");
const program = join(root, "src", "bench", "bench.ts");
process.exit(await run(tsx, [program, ...words], { cwd: root, env }));
