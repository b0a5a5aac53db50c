// `npm run faults`: injects every fault on the built page and under the command elf, and writes what came of each into
// docs/faults.md (test/faults). Words behind `--` go on to Playwright: `npm run faults -- -g downloads` plays those alone.
import { join } from "node:path";
import { ensureChromium, ensureHeadlessShell } from "./browsers.mjs";
import { ensureNodeModules, root } from "./node-modules.mjs";
import { ensurePythonEnvironment, pythonProgram } from "./python-environment.mjs";
import { run } from "./run.mjs";

await ensureNodeModules();
await ensurePythonEnvironment();
const tool = (name) => join(root, "node_modules", ".bin", name);
const CHROMIUM = await ensureChromium();
const CHROMIUM_HEADLESS_SHELL = await ensureHeadlessShell(CHROMIUM);
const built = await run(tool("vite"), ["build", "--logLevel", "warn"], { cwd: root });
if (built !== 0) process.exit(built);
const env = { ...process.env, CHROMIUM, CHROMIUM_HEADLESS_SHELL, PYTHON_PROGRAM: pythonProgram("python") };
const words = ["test", "-c", join("test", "faults", "playwright.config.ts"), ...process.argv.slice(2)];
process.exit(await run(tool("playwright"), words, { cwd: root, env }));
