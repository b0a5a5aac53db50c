// The JavaScript packages of package-lock.json, installed on first use and after the lock file changed.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { must } from "./run.mjs";
import { isCurrent, markCurrent } from "./stamp.mjs";

export const root = fileURLToPath(new URL("..", import.meta.url));

/** Those of the project, or of a folder that has a lock file of its own. */
export async function ensureNodeModules(folder = root) {
  const lock = join(folder, "package-lock.json");
  const stamp = join(folder, "node_modules", ".elf-stamp");
  if (isCurrent(stamp, [lock])) return;
  // Not among what a program writes that is started next.
  console.error("Installing the JavaScript packages (once, about half a minute) …");
  await must(
    "npm could not install the packages. Check the network and that `node --version` is 20.19, or 22.12 and newer, then try again.",
    "npm",
    // Hosts that build set NODE_ENV=production, and npm leaves out then what builds.
    ["ci", "--include=dev", "--no-audit", "--no-fund"],
    { cwd: folder, stdio: ["inherit", 2, 2] },
  );
  markCurrent(stamp, [lock]);
}
