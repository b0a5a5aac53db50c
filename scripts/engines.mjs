// `npm run engines`: one visit in Chromium, Firefox and WebKit each, as far as they are here or may be installed (test/engines).
import { join } from "node:path";
import { ensureChromium, ensureEngines } from "./browsers.mjs";
import { ensureNodeModules, root } from "./node-modules.mjs";
import { run } from "./run.mjs";

await ensureNodeModules();
const tool = (name) => join(root, "node_modules", ".bin", name);
const env = { ...process.env, CHROMIUM: await ensureChromium(), ...(await ensureEngines()) };
for (const wanted of [[], ["-c", "vite.embed.config.ts"]]) {
  const code = await run(tool("vite"), ["build", "--logLevel", "warn", ...wanted], { cwd: root });
  if (code !== 0) process.exit(code);
}
process.exit(
  await run(tool("tsx"), [join(root, "test", "engines", "run.ts"), ...process.argv.slice(2)], { cwd: root, env }),
);
