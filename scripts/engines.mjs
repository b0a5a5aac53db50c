// `npm run engines`: one visit in Chromium, Firefox and WebKit each, as far as they are here or may be installed (test/engines).
import { join } from "node:path";
import { ensureChromium, ensureEngines } from "./browsers.mjs";
import { ensureNodeModules, root } from "./node-modules.mjs";
import { run } from "./run.mjs";
import { buildForTests } from "./tested-build.mjs";

await ensureNodeModules();
const tsx = join(root, "node_modules", ".bin", "tsx");
const env = { ...process.env, CHROMIUM: await ensureChromium(), ...(await ensureEngines()) };
const code = await buildForTests();
if (code !== 0) process.exit(code);
process.exit(await run(tsx, [join(root, "test", "engines", "run.ts"), ...process.argv.slice(2)], { cwd: root, env }));
