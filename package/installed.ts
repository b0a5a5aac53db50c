/** The npm package as others get it, put into a folder of theirs: what `npm pack` makes of `npm run package`. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");

export interface Project {
  /** Where the project lies; whoever has it made takes it away. */
  readonly place: string;
  readonly tarball: string;
  /** The folder of the package in it. */
  readonly installed: string;
}

/**
 * Makes a project that has the package, and links to libraries that are here already, by the folder of each; its own in the
 * versions that the package names.
 */
export function projectWithPackage(libraries: Readonly<Record<string, string>>): Project {
  run(process.execPath, [join(root, "scripts", "package.mjs")], root);
  const place = mkdtempSync(join(tmpdir(), "elf-package-"));
  const [packed] = JSON.parse(run("npm", ["pack", "--json", "--pack-destination", place], join(root, "package")));
  const tarball = join(place, packed.filename);
  const installed = join(place, "node_modules", "elf-playground");
  mkdirSync(installed, { recursive: true });
  run("tar", ["-xzf", tarball, "-C", installed, "--strip-components", "1"], place);
  const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
  const own = Object.keys({ ...dependencies, ...peerDependencies }).map((name) => [name, "node_modules"] as const);
  for (const [name, folder] of [...own, ...Object.entries(libraries)]) {
    const link = join(place, "node_modules", name);
    mkdirSync(join(link, ".."), { recursive: true });
    symlinkSync(join(root, folder, name), link);
  }
  writeFileSync(join(place, "package.json"), JSON.stringify({ type: "module", private: true }));
  return { place, tarball, installed };
}

/** What a program prints, or an error that says what it said. */
export function run(program: string, words: readonly string[], cwd: string): string {
  const { status, stdout, stderr, error } = spawnSync(program, words, { cwd, encoding: "utf8" });
  if (status !== 0) throw new Error(`${program} ${words.join(" ")}: ${error ?? ""}${stdout}${stderr}`);
  return stdout;
}
