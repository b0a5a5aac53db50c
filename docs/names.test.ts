/** What the documentation calls by name exists: commands, options, files, and names of the code, in prose and in shell blocks. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { OPTIONS } from "../src/cli/options";

const docs = import.meta.dirname;
const root = join(docs, "..");
const read = (path: string) => readFileSync(join(root, path), "utf8");
const { scripts } = JSON.parse(read("package.json"));

/** Pages that people write, and the READMEs; those of the reference are written by the code itself. */
const pages = [
  ...["", "how/", "guides/"].flatMap((folder) =>
    readdirSync(join(docs, folder)).map((file) => `docs/${folder}${file}`),
  ),
  "docs/reference/browsers.md",
  "README.md",
  "package/README.md",
  "export/README.md",
].filter((file) => file.endsWith(".md") && file !== "docs/experiments.md");

/** Every word that stands in the sources, of page, package and Python, and in what configures them. */
const code = new Set(
  [
    "src",
    "export/src",
    "export/configs",
    "export/tpu",
    "docs/.vitepress/config.ts",
    "docs/figures.json",
    "package.json",
    "deploy",
    "scripts",
    "test/browser",
    "test/soak",
    "test/load",
  ]
    .flatMap((place) => textsIn(join(root, place)))
    .flatMap((text) => text.match(/[\w$]+/g) ?? []),
);

const reference = read("docs/reference/elf.md");
const elfCommands = [...reference.matchAll(/^## elf (.+)$/gm)].map(([, name = ""]) => name);
const options = new Set([
  ...OPTIONS.map(({ name }) => `--${name}`),
  ...[...reference.matchAll(/`(--[a-z][\w-]*)`/g)].map(([, name = ""]) => name),
  ...[...read("docs/reference/command.md").matchAll(/(--[a-z][\w-]*)/g)].map(([, name = ""]) => name),
  // A module that is run by itself, and so stands on no page of the reference.
  ...[...read("export/src/elf/burst/train.py").matchAll(/add_argument\("(--[a-z][\w-]*)/g)].map(
    ([, name = ""]) => name,
  ),
]);

/** Custom properties of the element, which its own reference test looks up. */
const properties = new Set(read("docs/embed.md").match(/(?<=`)--[a-z-]+(?=`)/g));

/** Names of other people's things: browsers, CSS, tools, file formats. */
const FOREIGN = /^(sessionStorage|BroadcastChannel|serviceWorker)$/;

/** Options of git, npm, docker, gcloud, pip, Playwright, Vite and of our scripts. */
const FOREIGN_OPTIONS =
  /^--(rm|location|uniform-bucket-level-access|enable-hierarchical-namespace|recursive|dry-run|keep|slice|help|base-models|site|docs|node|steps|repeats|trace|gpu|update|port|host)$/;

describe("names in the documentation exist", () => {
  it.each(pages)("%s", (page) => {
    const text = read(page);
    const missing = [...spans(text).flatMap((span) => strange(span, page)), ...shellLines(text).flatMap(strangeWords)];
    expect(missing).toEqual([]);
  });

  it.each([
    ["`elf transmogrify`", ["elf transmogrify"]],
    ["`--colour`", ["--colour"]],
    ["`npm run dance`", ["npm run dance"]],
    ["`elf evaluate runs/x cfg=[1,2]`", ["cfg=[1,2]"]],
    ["`elf evaluate runs/x 'cfg=[1,2]' \"gamma=[0,1]\"`", []],
    ["`loadModels()`", ["loadModels"]],
    ["`flow.noize_scale`", ["noize_scale"]],
    ["`src/nowhere/x.ts`", ["src/nowhere/x.ts"]],
    ["`elf-done`, `ManifestError`, `--hold`, `npm start`, `src/flow`, `elf bench solvers`", []],
  ])("%s has as strange names %j", (text, names) => {
    expect(spans(text).flatMap((span) => strange(span, "README.md"))).toEqual(names);
  });
});

/** Words of code in prose; fenced blocks are left out. */
function spans(markdown: string): string[] {
  const prose = markdown.replace(/^( *)(```+)[\s\S]*?^\1\2$/gm, "");
  return [...prose.matchAll(/(`+) ?(.+?) ?\1(?!`)/gs)].map(([, , span = ""]) => span.replace(/\s+/g, " "));
}

function shellLines(markdown: string): string[] {
  const blocks = [...markdown.matchAll(/^```sh.*\n([\s\S]*?)^```/gm)].map(([, block = ""]) => block);
  return blocks.flatMap((block) => block.replace(/\\\n\s*/g, "").split("\n"));
}

/** What of a line of shell there is not: scripts of npm, commands and options of ours. */
function strangeWords(line: string): string[] {
  const [, script] = /npm run (?:-s )?(\S+)/.exec(line) ?? [];
  const ours = /^(npm run (-s )?(elf|generate)|elf|npx elf-playground) /.test(line);
  const words = ours ? (line.replace(/"[^"]*"/g, "").match(/(?<= )--[a-z][\w-]*/g) ?? []) : [];
  // zsh, which macOS has, takes brackets for names of files.
  const bare = ours ? (line.replace(/"[^"]*"|'[^']*'/g, "").match(/\S*\[\S*/g) ?? []) : [];
  return [
    ...bare,
    ...(script && !(script in scripts) ? [`npm run ${script}`] : []),
    ...elfCommand(line),
    ...words.filter((word) => !options.has(word) && !FOREIGN_OPTIONS.test(word)),
  ];
}

/** The command of `elf` in a text, where there is none of that name. */
function elfCommand(text: string): string[] {
  const [, words = ""] = /^(?:npm run (?:-s )?elf --|elf) ([a-z][a-z -]*)/.exec(text) ?? [];
  if (words === "" || elfCommands.some((name) => `${words} `.startsWith(`${name} `))) return [];
  // `elf bench`, whose commands are named behind it.
  return elfCommands.some((name) => name.startsWith(`${words.trim()} `)) ? [] : [`elf ${words.trim()}`];
}

/** What a span of code names that there is not. */
function strange(span: string, page: string): string[] {
  if (properties.has(span.split(/[: ]/)[0] ?? "")) return [];
  if (/^(npm|npx|elf) /.test(span)) return strangeWords(span);
  if (/^--[a-z]/.test(span))
    return options.has(span.split(/[ =]/)[0] ?? "") || FOREIGN_OPTIONS.test(span.split(/[ =]/)[0] ?? "") ? [] : [span];
  if (/^(src|export|docs|test|models|package|deploy|scripts|public)\/[\w./-]*$/.test(span)) {
    const made = /^(models\/(NAME|mine|toy|ELF)|docs\/public|export\/\.venv)/.test(span);
    return made || existsSync(join(root, span)) || page === "docs/denied.md" ? [] : [span];
  }
  // A name of code: camelCase, PascalCase of two humps, snake_case, or called.
  const name = /^[\w.]+(?=\(|$)/.exec(span)?.[0]?.split(".").pop() ?? "";
  const isName = /[a-z][A-Z]|[a-z]_[a-z]/.test(name) || /^\w+\(/.test(span);
  return isName && !code.has(name) && !FOREIGN.test(name) ? [name] : [];
}

function textsIn(place: string): string[] {
  if (!existsSync(place)) return [];
  if (statSync(place).isFile()) return [readFileSync(place, "utf8")];
  return readdirSync(place, { withFileTypes: true }).flatMap((entry) => {
    if (entry.isDirectory()) return textsIn(join(place, entry.name));
    return /\.(tsx?|mjs|py|ya?ml|json|sh|conf|css)$/.test(entry.name)
      ? [readFileSync(join(place, entry.name), "utf8")]
      : [];
  });
}
