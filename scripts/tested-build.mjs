// The page and the element, built as tests in browsers take them.
import { join } from "node:path";
import { root } from "./node-modules.mjs";
import { run } from "./run.mjs";

let building;

/** Builds both, once however often it is asked for. The exit code of the build that failed; 0 where none did. */
export function buildForTests() {
  building ??= build();
  return building;
}

async function build() {
  const vite = join(root, "node_modules", ".bin", "vite");
  // The first empties the folder that the second builds into.
  for (const wanted of [[], ["-c", "vite.embed.config.ts"]]) {
    const code = await run(vite, ["build", "--logLevel", "warn", ...wanted], { cwd: root });
    if (code !== 0) return code;
  }
  return 0;
}
