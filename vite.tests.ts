import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { configDefaults, type TestProjectInlineConfiguration } from "vitest/config";

const FOLDERS = ["src", "deploy", "package", "docs", "test/hostile", "test/soak", "test/load"];
/** What puts other modules in the place of those that are imported, for every file that the process runs after it. */
const REPLACES = /\bvi\.(doMock|mock|resetModules)\(/;

/**
 * Two kinds of test files. A process of its own for every file takes three times as long as the tests: so those that need none
 * share one for each core, modules and all, and only those that replace modules are apart.
 */
export function testProjects(root: string): TestProjectInlineConfiguration[] {
  const apart = FOLDERS.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => /\.test\.tsx?$/.test(file))
      .map((file) => `${folder}/${file}`)
      .filter((path) => REPLACES.test(readFileSync(join(root, path), "utf8"))),
  );
  const all = `{${FOLDERS.join()}}/**/*.test.{ts,tsx}`;
  return [
    {
      extends: true,
      test: {
        name: "shared",
        include: [all],
        exclude: [...configDefaults.exclude, ...apart],
        isolate: false,
        setupFiles: [join(root, "vite.tests.after.ts")],
      },
    },
    { extends: true, test: { name: "apart", include: apart } },
  ];
}
