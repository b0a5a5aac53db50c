// `npm run elf -- COMMAND …`: the Python command `elf`, in an environment that is made on first use.
import { ensurePythonEnvironment, pythonProgram } from "./python-environment.mjs";
import { run } from "./run.mjs";

await ensurePythonEnvironment();
// npm runs scripts in the project's folder; paths on the command line mean the folder the person stands in.
const cwd = process.env.INIT_CWD ?? process.cwd();
process.exit(await run(pythonProgram("elf"), process.argv.slice(2), { cwd }));
