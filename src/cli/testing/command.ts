import { execFile } from "node:child_process";
import { quickWasm } from "../../runtime/testing/quickWasm";

/** How a process ended, and what it wrote. */
export interface Finished {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `elf-playground` as `npm run generate` does, in a process of its own whose WebAssembly starts quickly. */
export function command(...args: string[]): Promise<Finished> {
  return new Promise((resolve) => {
    execFile(process.execPath, [...quickWasm, "--import", "tsx", "src/cli/main.ts", ...args], (error, out, err) =>
      resolve({ code: error ? Number(error.code) : 0, out, err }),
    );
  });
}
