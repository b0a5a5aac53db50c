// `npm test`: installs what is missing, then runs every check. `npm test -- unit python` runs only those.
// Of the tests it leaves out those that take long, which say so where they stand (`slow`); `npm run test:all` does not.
// They stand in two lanes that run beside each other: neither needs the other, and most of what is in them uses one core.
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

/** Of the page and what it stands on; their output is shown as it comes. */
const pageLane = {
  lint: async () => run(tool("biome"), ["check", "."], { cwd: root }),
  types: async () => run(tool("tsc"), ["--noEmit"], { cwd: root }),
  unit: async () => run(tool("vitest"), ["run", ...quick.unit], { cwd: root }),
  browser: async () => {
    const CHROMIUM = await ensureChromium();
    const CHROMIUM_HEADLESS_SHELL = await ensureHeadlessShell(CHROMIUM);
    const env = { ...process.env, CHROMIUM, CHROMIUM_HEADLESS_SHELL };
    return (await buildForTests()) || run(tool("playwright"), ["test", ...quick.browser], { cwd: root, env });
  },
};

/** The others, each with a way to run programs; together about as long as those of the page. */
const otherLane = {
  "python-lint": async (run) => {
    const code = await run(pythonProgram("ruff"), ["check", "."], { cwd: exportFolder });
    return code || run(pythonProgram("ruff"), ["format", "--check", "."], { cwd: exportFolder });
  },
  "python-types": async (run) => run(pythonProgram("mypy"), [], { cwd: exportFolder }),
  python: async (run) => run(pythonProgram("pytest"), quick.python, { cwd: exportFolder }),
  // Unless it is asked for it installs no browser, and makes no visit in the one that the other lane sees all in.
  engines: async (run) => {
    const others = all || words.includes("engines") ? await ensureEngines() : findEngines();
    const env = { ...process.env, CHROMIUM: await ensureChromium(), ...others };
    const visits = [join(root, "test", "engines", "run.ts"), ...(all ? [] : ["--others"])];
    return (await buildForTests()) || run(tool("tsx"), visits, { cwd: root, env });
  },
};

const checks = { ...pageLane, ...otherLane };

const wanted = words.filter((word) => word !== "--all");
const unknown = wanted.filter((name) => !(name in checks));
if (unknown.length > 0) {
  console.error(`There is no check called ${unknown.join(", ")}. Choose from: ${Object.keys(checks).join(", ")}.`);
  process.exit(2);
}

const isChosen = (name) => wanted.length === 0 || wanted.includes(name);
const chosen = (lane) => Object.keys(lane).filter(isChosen);
const [page, other] = [chosen(pageLane), chosen(otherLane)];

await ensureNodeModules();
if (other.some((name) => name.startsWith("python"))) await ensurePythonEnvironment();
// Alone, a lane has the terminal to itself. Beside that of the page, the other's output waits until its check is over.
const together = page.length > 0 && other.length > 0;
if (together) console.log(`${other.join(", ")}: beside the others; what they print follows when they are done.`);
const results = (await Promise.all([inOrder(page, run), inOrder(other, together ? runKept : run)])).flat();

/** Runs the checks of one lane, one after another, all of them whatever fails. */
async function inOrder(names, runProgram) {
  const results = [];
  for (const name of names) {
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
