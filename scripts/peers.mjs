// `npm run peers`: one run of one model by the page and by everything else that can compute it (src/bench/peers.ts).
import { join } from "node:path";
import { ensureChromium } from "./browsers.mjs";
import { ensureNodeModules, root } from "./node-modules.mjs";
import { run } from "./run.mjs";

await ensureNodeModules();
await ensureNodeModules(join(root, "src", "bench", "onnxruntime-node"));
const env = { ...process.env, CHROMIUM: await ensureChromium() };
const program = join(root, "src", "bench", "peers.ts");
const tsx = join(root, "node_modules", ".bin", "tsx");
process.exit(await run(tsx, [program, ...process.argv.slice(2)], { cwd: root, env }));
