// `npm run load`: the built page with a thousand runs and with the longest run, how fast it answers and what it holds (test/load).
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureChromium } from "./browsers.mjs";
import { ensureNodeModules, root } from "./node-modules.mjs";
import { ensurePythonEnvironment, pythonProgram } from "./python-environment.mjs";
import { run } from "./run.mjs";

await ensureNodeModules();
await ensurePythonEnvironment();
const tool = (name) => join(root, "node_modules", ".bin", name);
const folder = mkdtempSync(join(tmpdir(), "elf-load-"));
const LONG_MODEL = join(folder, "exported");
const elf = (...words) => run(pythonProgram("elf"), words, { cwd: root });
const made =
  (await elf("make-random", "--preset", "tiny", "--max-length", "1024", "--out", join(folder, "model"))) ||
  (await elf("export", join(folder, "model"), "--name", "long", "--title", "Long", "--out", LONG_MODEL)) ||
  (await run(tool("vite"), ["build", "--logLevel", "warn"], { cwd: root }));
const env = { ...process.env, CHROMIUM: await ensureChromium(), LONG_MODEL };
const program = join(root, "test", "load", "run.ts");
const code = made || (await run(tool("tsx"), [program, ...process.argv.slice(2)], { cwd: root, env }));
rmSync(folder, { recursive: true, force: true });
process.exit(code);
