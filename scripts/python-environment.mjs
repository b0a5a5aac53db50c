// The Python environment of `export/`, made on first use and after its requirements changed.
import { spawnSync } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { root } from "./node-modules.mjs";
import { must, run } from "./run.mjs";
import { isCurrent, markCurrent } from "./stamp.mjs";

const exportFolder = join(root, "export");
const environment = join(exportFolder, ".venv");
const binaries = join(environment, process.platform === "win32" ? "Scripts" : "bin");

/** Path of a program inside the environment: `python`, `elf`, `pytest` … */
export const pythonProgram = (name) => join(binaries, process.platform === "win32" ? `${name}.exe` : name);

/** The first Python on the PATH that the package supports. `PYTHON` names another. */
function findPython() {
  const candidates = [process.env.PYTHON, "python3.11", "python3.12", "python3.13", "python3", "python"];
  for (const candidate of candidates.filter(Boolean)) {
    const test = "import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))";
    if (spawnSync(candidate, ["-c", test], { stdio: "ignore" }).status === 0) return candidate;
  }
  console.error(
    "No Python 3.11, 3.12 or 3.13 with its venv module was found on the PATH.\n" +
      "Install one (on Debian and Ubuntu: apt-get install python3 python3-venv), or name it in the variable PYTHON.",
  );
  process.exit(1);
}

/** Installs what is locked, and this package over it. `uv` takes half a minute where `pip` takes three. */
async function installed(installer, requirements) {
  const python = pythonProgram("python");
  const pip = [python, "-m", "pip", "install", "--disable-pip-version-check", "--quiet"];
  const uv = [pythonProgram("uv"), "pip", "install", "--python", python, "--quiet"];
  const install = installer === "uv" ? uv : pip;
  const steps = [
    ...(installer === "uv" ? [[...pip, "--require-hashes", "-r", join(exportFolder, "installer.txt")]] : []),
    [...install, "--require-hashes", "-r", requirements],
    [...install, "--no-deps", "--no-build-isolation", "--editable", exportFolder],
  ];
  for (const [command, ...words] of steps) if ((await run(command, words)) !== 0) return false;
  return true;
}

export async function ensurePythonEnvironment() {
  const requirements = join(exportFolder, "requirements.txt");
  const files = [requirements, join(exportFolder, "installer.txt"), join(exportFolder, "pyproject.toml")];
  const stamp = join(environment, ".elf-stamp");
  if (existsSync(pythonProgram("python")) && isCurrent(stamp, files)) return;
  console.log("Making the Python environment in export/.venv (once, a minute or so) …");
  const python = findPython();
  // An environment half made by an interrupted install is not worth mending.
  rmSync(environment, { recursive: true, force: true });
  await must("The environment could not be made.", python, ["-m", "venv", environment]);
  if (!(await installed("uv", requirements))) {
    console.log("uv could not install the requirements (it knows nothing of pip's own settings). Once more with pip …");
    if (!(await installed("pip", requirements))) {
      console.error(
        "\npip could not install the requirements. Check the network and free disk space (2 GB), then try again.",
      );
      process.exit(1);
    }
  }
  markCurrent(stamp, files);
}
