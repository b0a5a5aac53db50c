// `npm run hostile`: hostile files and links, 117,000 of them where `npm test` makes 3,250 (test/hostile).
import { join } from "node:path";
import { ensureNodeModules, root } from "./node-modules.mjs";
import { run } from "./run.mjs";

await ensureNodeModules();
const env = { ...process.env, ELF_HOSTILE_CASES: process.env.ELF_HOSTILE_CASES ?? "9000" };
const vitest = join(root, "node_modules", ".bin", "vitest");
process.exit(
  await run(vitest, ["run", "test/hostile", "--testTimeout", "1800000", ...process.argv.slice(2)], { cwd: root, env }),
);
