import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { ATTRIBUTE_NAMES } from "./attributes";
import { ElfPlayground } from "./element";
import { EVENT_NAMES } from "./events";

const root = join(import.meta.dirname, "../..");
const docs = readFileSync(join(root, "docs/embed.md"), "utf8");

/** Names in the first column of the table whose head begins with a word. */
function listed(head: string): string[] {
  const rows = new RegExp(`^\\| ${head}[^\\n]*\\n\\|[-|]+\\n((?:\\|.*\\n)+)`, "m").exec(docs)?.[1] ?? "";
  return rows
    .split("\n")
    .flatMap((row) =>
      [...(row.split(" | ")[0] ?? "").matchAll(/`([^`(]+)(?:\([^`]*)?`/g)].map(([, name = ""]) => name),
    );
}

/** All that a pattern finds in the sources of the element and its player. */
function found(pattern: RegExp, ...folders: string[]): string[] {
  const files = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => /\.(tsx|css)$/.test(file))
      .map((file) => readFileSync(join(root, folder, file), "utf8")),
  );
  return [...new Set(files.flatMap((text) => [...text.matchAll(pattern)].map(([, name = ""]) => name)))];
}

describe("docs/embed.md has a line for each (point 30)", () => {
  it("attribute", () => {
    expect(listed("attribute").sort()).toEqual([...ATTRIBUTE_NAMES, "lang"].sort());
  });

  it("event", () => {
    expect(listed("event").sort()).toEqual([...EVENT_NAMES].sort());
  });

  it("property and method", () => {
    const own = Object.getOwnPropertyNames(ElfPlayground.prototype).filter(
      (name) => !(ATTRIBUTE_NAMES as readonly string[]).includes(name) && !/^constructor$|Callback$/.test(name),
    );
    expect(listed("name").sort()).toEqual(own.sort());
  });

  it("part and slot", () => {
    expect(listed("part").sort()).toEqual(found(/\bpart="([a-z-]+)"/g, "src/embed", "src/player").sort());
    expect(listed("slot").sort()).toEqual(found(/<slot name="([a-z-]+)"/g, "src/embed").sort());
  });

  it("custom property that is there, and each colour", () => {
    const known = found(/^\s*(--[a-z-]+\d?):/gm, "src/player/theme");
    expect(listed("custom").filter((name) => !known.includes(name))).toEqual([]);
    const colours = found(/^\s*(--[a-z-]+): light-dark/gm, "src/player/theme");
    expect(colours.filter((name) => !listed("custom").includes(name))).toEqual([]);
  });

  it("of the 33 points, with a test whose title has its number or the reason why there is none", () => {
    const rows = [...docs.matchAll(/^\| (\d+) \|.*\| (.*) \|$/gm)].map(([, number = "", test = ""]) => ({
      number,
      test,
    }));
    expect(rows.map(({ number }) => Number(number))).toEqual(Array.from({ length: 33 }, (_, i) => i + 1));
    const titles = (name: string) => {
      const folder = name.endsWith(".spec.ts") ? "test/browser" : placeOf(name);
      const text = readFileSync(join(root, folder, name), "utf8");
      return [...text.matchAll(/\b(?:test|it|describe)\(\s*"([^"]+)"/g)].map(([, title = ""]) => title);
    };
    for (const { number, test } of rows) {
      const files = [...test.matchAll(/`([\w-]+\.(?:spec|test)\.tsx?)`/g)].map(([, file = ""]) => file);
      expect(files.length > 0 || test.startsWith("left: "), `point ${number}`).toBe(true);
      for (const file of files) {
        const numbers = titles(file).flatMap((title) =>
          [...title.matchAll(/\d+(?=[,:]| |\))/g)].map(([found]) => found),
        );
        expect(numbers, `${file} names point ${number}`).toContain(number);
      }
    }
  });
});

/** The folder of a unit test; every name in the table is there once. */
function placeOf(name: string): string {
  const files = ["src", "package", "deploy"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((file) => join(folder, file)),
  );
  const [file = "", ...more] = files.filter((file) => basename(file) === name && !file.includes("node_modules"));
  expect(more, name).toEqual([]);
  return dirname(file);
}
