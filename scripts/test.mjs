// `npm test`: installs what is missing, then checks and tests everything. `npm test -- unit python` runs only those.
import { join } from "node:path";
import { ensureChromium } from "./chromium.mjs";
import { ensureNodeModules, root } from "./node-modules.mjs";
import { ensurePythonEnvironment, pythonProgram } from "./python-environment.mjs";
import { run } from "./run.mjs";

const tool = (name) => join(root, "node_modules", ".bin", name);
const exportFolder = join(root, "export");

const checks = {
  lint: async () => run(tool("biome"), ["check", "."], { cwd: root }),
  types: async () => run(tool("tsc"), ["--noEmit"], { cwd: root }),
  unit: async () => run(tool("vitest"), ["run"], { cwd: root }),
  "python-lint": async () => {
    await ensurePythonEnvironment();
    const code = await run(pythonProgram("ruff"), ["check", "."], { cwd: exportFolder });
    return code || run(pythonProgram("ruff"), ["format", "--check", "."], { cwd: exportFolder });
  },
  "python-types": async () => {
    await ensurePythonEnvironment();
    return run(pythonProgram("mypy"), [], { cwd: exportFolder });
  },
  python: async () => {
    await ensurePythonEnvironment();
    return run(pythonProgram("pytest"), [], { cwd: exportFolder });
  },
  browser: async () => {
    const CHROMIUM = await ensureChromium();
    const build = await run(tool("vite"), ["build", "--logLevel", "warn"], { cwd: root });
    return build || run(tool("playwright"), ["test"], { cwd: root, env: { ...process.env, CHROMIUM } });
  },
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in checks));
if (unknown.length > 0) {
  console.error(`There is no check called ${unknown.join(", ")}. Choose from: ${Object.keys(checks).join(", ")}.`);
  process.exit(2);
}

await ensureNodeModules();
const results = [];
for (const name of wanted.length > 0 ? wanted : Object.keys(checks)) {
  console.log(`\n── ${name} ${"─".repeat(Math.max(0, 70 - name.length))}`);
  const started = performance.now();
  const code = await checks[name]();
  results.push({ name, code, seconds: (performance.now() - started) / 1000 });
}

console.log("");
for (const { name, code, seconds } of results) {
  console.log(`${code === 0 ? "passed" : "FAILED"}  ${name.padEnd(14)} ${seconds.toFixed(1)} s`);
}
process.exit(results.some(({ code }) => code !== 0) ? 1 : 0);
