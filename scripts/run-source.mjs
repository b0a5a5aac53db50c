// `npm run generate` and `npm run parity`: a program of src/ from its sources. On a clone where nothing is installed yet, or the
// Python package alone, what it takes is installed first.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ensureNodeModules, root } from "./node-modules.mjs";
import { run } from "./run.mjs";

const tsx = join(root, "node_modules", "tsx", "dist", "cli.mjs");
// Only then: whoever has changed the lock file may still want to generate by what is there.
if (!existsSync(tsx)) await ensureNodeModules();
// As in elf.mjs: paths on the command line mean the folder the person stands in.
const cwd = process.env.INIT_CWD ?? process.cwd();
const [program = "", ...words] = process.argv.slice(2);
process.exit(await run(process.execPath, [tsx, join(root, program), ...words], { cwd }));
