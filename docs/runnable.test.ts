/** Blocks of shell that are marked `runnable` run, each page in an empty folder that has what the repository has. */
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";

const docs = import.meta.dirname;
const root = join(docs, "..");

interface Block {
  readonly page: string;
  readonly script: string;
}

const blocks: readonly Block[] = ["", "how/", "guides/"]
  .flatMap((folder) => readdirSync(join(docs, folder)).map((file) => `${folder}${file}`))
  .filter((file) => file.endsWith(".md"))
  .flatMap((page) =>
    [...readFileSync(join(docs, page), "utf8").matchAll(/^```sh runnable\n([\s\S]*?)^```$/gm)].map(
      ([, script = ""]) => ({ page, script }),
    ),
  );

let place = "";
afterEach(() => rmSync(place, { recursive: true, force: true }));

// `npm test` runs one that loads a model, and what takes no time; all others load one or more too, or train one.
const quick = blocks.filter(({ page }, at) => page === "guides/evaluate.md" || at === firstOf("guides/translate.md"));
const slow = blocks.filter((block) => !quick.includes(block));

it.each(quick)("$page: $script", runs, 300_000);
it.each(slow)("$page: $script", { tags: ["slow"], timeout: 1_800_000 }, runs);

function firstOf(page: string): number {
  return blocks.findIndex((block) => block.page === page);
}

async function runs({ script }: Block): Promise<void> {
  place = mkdtempSync(join(tmpdir(), "elf-docs-"));
  for (const name of readdirSync(root).filter((name) => !/^(\.git|dist|runs)$/.test(name))) {
    symlinkSync(join(root, name), join(place, name));
  }
  const { code, said } = await shell(script, place);
  expect(code, said).toBe(0);
  expect(said.trim()).not.toBe("");
}

function shell(script: string, cwd: string): Promise<{ code: number; said: string }> {
  return new Promise((resolve) => {
    execFile("bash", ["-euo", "pipefail", "-c", script], { cwd, maxBuffer: 2 ** 26 }, (error, out, err) =>
      resolve({ code: error ? Number(error.code) : 0, said: `${out}${err}` }),
    );
  });
}
