// `npm test`: installs what is missing, then runs every check. `npm test -- unit python` runs only those.
// Of the tests it leaves out those that take long, which say so where they stand (`slow`); `npm run test:all` does not.
// They go in two lanes beside each other: most of what is in them uses one core. The longest of each lane come first, and what
// is left is taken by the lane that is through.
import { join } from "node:path";
import { ensureChromium, ensureEngines, ensureHeadlessShell, findEngines } from "./browsers.mjs";
import { ensureNodeModules, root } from "./node-modules.mjs";
import { ensurePythonEnvironment, pythonProgram } from "./python-environment.mjs";
import { run, runKept } from "./run.mjs";
import { buildForTests } from "./tested-build.mjs";

const tool = (name) => join(root, "node_modules", ".bin", name);
const exportFolder = join(root, "export");

const words = process.argv.slice(2);
const all = words.includes("--all");
/** What each program is told so that it leaves slow tests out. */
const quick = all
  ? { unit: [], browser: [], python: [] }
  : { unit: ["--tagsFilter", "!slow"], browser: ["--grep-invert", "@slow"], python: ["-m", "not slow"] };

/** What there is to be checked, each with a way to run programs. */
const checks = {
  lint: async (run) => run(tool("biome"), ["check", "."], { cwd: root }),
  types: async (run) => run(tool("tsc"), ["--noEmit"], { cwd: root }),
  browser: async (run) => {
    const CHROMIUM = await ensureChromium();
    const CHROMIUM_HEADLESS_SHELL = await ensureHeadlessShell(CHROMIUM);
    const env = { ...process.env, CHROMIUM, CHROMIUM_HEADLESS_SHELL };
    return (await buildForTests()) || run(tool("playwright"), ["test", ...quick.browser], { cwd: root, env });
  },
  "python-lint": async (run) => {
    const code = await run(pythonProgram("ruff"), ["check", "."], { cwd: exportFolder });
    return code || run(pythonProgram("ruff"), ["format", "--check", "."], { cwd: exportFolder });
  },
  "python-types": async (run) => run(pythonProgram("mypy"), [], { cwd: exportFolder }),
  python: async (run) => run(pythonProgram("pytest"), quick.python, { cwd: exportFolder }),
  unit: async (run) => run(tool("vitest"), ["run", ...quick.unit], { cwd: root }),
  // Unless it is asked for it installs no browser, and makes no visit in the one that `browser` sees all in.
  engines: async (run) => {
    const others = all || words.includes("engines") ? await ensureEngines() : findEngines();
    const env = { ...process.env, CHROMIUM: await ensureChromium(), ...others };
    const visits = [join(root, "test", "engines", "run.ts"), ...(all ? [] : ["--others"])];
    return (await buildForTests()) || run(tool("tsx"), visits, { cwd: root, env });
  },
};

/** Neither lane needs the other. What the first runs is shown as it comes. */
const LANES = [
  // With slow tests there are two that build the package, into one folder: those of `unit` come before those of `browser`.
  ["lint", "types", ...(all ? ["unit"] : []), "browser"],
  ["python-lint", "python-types", "python"],
];
/** Of either lane. */
const LEFT = [...(all ? [] : ["unit"]), "engines"];

const wanted = words.filter((word) => word !== "--all");
const unknown = wanted.filter((name) => !(name in checks));
if (unknown.length > 0) {
  console.error(`There is no check called ${unknown.join(", ")}. Choose from: ${Object.keys(checks).join(", ")}.`);
  process.exit(2);
}

const isChosen = (name) => wanted.length === 0 || wanted.includes(name);
const left = LEFT.filter(isChosen);
const chosen = LANES.map((names) => names.filter(isChosen)).filter((names) => names.length > 0);
const lanes = chosen.length > 0 ? chosen : [[]];

await ensureNodeModules();
if (lanes.flat().some((name) => name.startsWith("python"))) await ensurePythonEnvironment();
const [, beside] = lanes;
// Alone, a lane has the terminal to itself. Beside the first, the output of another waits until its check is over.
if (beside) {
  console.log(
    `Two at a time. What is checked beside the first of them prints when it is done: ${beside.join(", ")} and what is left.`,
  );
}
const results = (await Promise.all(lanes.map((names, i) => inOrder(names, i === 0 ? run : runKept)))).flat();

/** Runs the checks of one lane, one after another, all of them whatever fails, and then what the other lane left. */
async function inOrder(names, runProgram) {
  const results = [];
  for (let name = names.shift() ?? left.shift(); name; name = names.shift() ?? left.shift()) {
    if (runProgram === run) heading(name);
    const started = performance.now();
    const kept = [];
    const code = await checks[name]((...call) => runProgram(...call, kept));
    if (runProgram === runKept) {
      heading(name);
      process.stdout.write(Buffer.concat(kept));
    }
    results.push({ name, code, seconds: (performance.now() - started) / 1000 });
  }
  return results;
}

function heading(name) {
  console.log(`\n── ${name} ${"─".repeat(Math.max(0, 70 - name.length))}`);
}

console.log("");
for (const { name, code, seconds } of results) {
  console.log(`${code === 0 ? "passed" : "FAILED"}  ${name.padEnd(14)} ${seconds.toFixed(1)} s`);
}
if (!all && results.some(({ name }) => name in quick)) {
  console.log(`\nSlow tests were left out: npm run test:all${wanted.length > 0 ? ` -- ${wanted.join(" ")}` : ""}`);
}
process.exit(results.some(({ code }) => code !== 0) ? 1 : 0);
