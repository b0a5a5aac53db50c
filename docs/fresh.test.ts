/** Commands of the pages on a clone where nothing has been installed yet. */
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { expect, it } from "vitest";

const root = join(import.meta.dirname, "..");

/** In npm's place: says so, and installs a tsx that says what it is to run, and where. */
const NPM = `#!/bin/sh
echo "npm $1 $2 went on"
mkdir -p node_modules/tsx/dist
echo 'console.log(JSON.stringify([process.cwd(), ...process.argv.slice(2)]))' > node_modules/tsx/dist/cli.mjs
`;

it("npm run generate installs first what it takes, writes nothing of that, and runs where the person stands", () => {
  const clone = realpathSync(mkdtempSync(join(tmpdir(), "elf-fresh-")));
  try {
    cpSync(join(root, "scripts"), join(clone, "scripts"), { recursive: true });
    for (const file of ["package.json", "package-lock.json"]) cpSync(join(root, file), join(clone, file));
    const bin = join(clone, "bin");
    mkdirSync(bin);
    writeFileSync(join(bin, "npm"), NPM);
    chmodSync(join(bin, "npm"), 0o755);
    const { generate } = JSON.parse(readFileSync(join(clone, "package.json"), "utf8")).scripts;
    const stands = join(clone, "scripts");
    const env = { ...process.env, INIT_CWD: stands, PATH: `${bin}${delimiter}${process.env.PATH}` };
    const press = () => spawnSync("sh", ["-c", `${generate} --seed 3`], { cwd: clone, env, encoding: "utf8" });
    const ran = `${JSON.stringify([stands, join(clone, "src/cli/main.ts"), "generate", "--seed", "3"])}\n`;
    const first = press();
    expect([first.status, first.stdout], first.stderr).toEqual([0, ran]);
    expect(first.stderr).toContain("Installing the JavaScript packages");
    expect(first.stderr).toContain("npm ci --include=dev went on");
    const second = press();
    expect([second.status, second.stdout, second.stderr]).toEqual([0, ran, ""]);
  } finally {
    rmSync(clone, { recursive: true });
  }
});
