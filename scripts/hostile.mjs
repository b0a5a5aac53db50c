// `npm run hostile`: hostile files and links, 239,000 of them where `npm test` makes 5,380 (test/hostile, export/tests/hostile).
// `npm run hostile -- page` makes those of the page alone, `-- python` those of the Python package; further words go on to
// Vitest or pytest.
import { join } from "node:path";
import { ensureNodeModules, root } from "./node-modules.mjs";
import { ensurePythonEnvironment, pythonProgram } from "./python-environment.mjs";
import { run } from "./run.mjs";

const [half, ...words] = process.argv.slice(2);
if (half !== undefined && half !== "page" && half !== "python") {
  console.error(`There is no half called ${half}. Choose page or python, or say nothing for both.`);
  process.exit(2);
}
const cases = (count) => ({ ...process.env, ELF_HOSTILE_CASES: process.env.ELF_HOSTILE_CASES ?? count });

let code = 0;
if (half !== "python") {
  await ensureNodeModules();
  const vitest = join(root, "node_modules", ".bin", "vitest");
  const options = { cwd: root, env: cases("9000") };
  code ||= await run(vitest, ["run", "test/hostile", "--testTimeout", "1800000", ...words], options);
}
if (half !== "page") {
  await ensurePythonEnvironment();
  const options = { cwd: join(root, "export"), env: cases("2500") };
  code ||= await run(pythonProgram("pytest"), ["tests/hostile", ...words], options);
}
process.exit(code);
