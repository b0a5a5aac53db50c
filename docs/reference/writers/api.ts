import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { page, prose } from "./markdown";
import { commentOf, type Node, type ParsedFile, parseFile, root } from "./sources";

/** The package's entries, by the names of their types. The element has a page of its own. */
const ENTRIES = [
  ["elf-playground", "package/index.d.ts", "In browsers and in Node."],
  ["elf-playground/worker", "package/worker.d.ts", "An engine in a worker of its own, so that the page stays quick."],
  [
    "elf-playground/react",
    "embed/react.d.ts",
    "The element as a component; its props are the element's attributes and events.",
  ],
] as const;

interface Exported {
  readonly name: string;
  readonly comment: string;
  /** As TypeScript declares it. */
  readonly declaration: string;
}

/** Everything that the package exports, in TypeScript's own words for its types. */
export function apiPage(): { readonly text: string; readonly undocumented: readonly string[] } {
  const types = mkdtempSync(join(tmpdir(), "elf-types-"));
  try {
    const words = ["-p", join(root, "tsconfig.package.json"), "--outDir", types];
    const { status, stdout } = spawnSync(join(root, "node_modules", ".bin", "tsc"), words, { encoding: "utf8" });
    if (status !== 0) throw new Error(stdout);
    const entries = ENTRIES.map(([name, file, what]) => ({ name, what, all: exportsOf(join(types, file)) }));
    const lead = `What \`npm install elf-playground onnxruntime-web\` brings, read off its types. [Its README](../../package/README.md)
leads through it; whatever can go wrong is [listed by name](./errors.md).`;
    const parts = entries.flatMap(({ name, what, all }) => [
      `## ${name}`,
      what,
      ...all.flatMap((each) => [`### ${each.name}`, prose(each.comment), `\`\`\`ts\n${each.declaration}\n\`\`\``]),
    ]);
    const undocumented = entries.flatMap(({ all }) =>
      all.filter(({ comment }) => comment === "").map(({ name }) => name),
    );
    return { text: page("The package", lead, ...parts), undocumented };
  } finally {
    rmSync(types, { recursive: true, force: true });
  }
}

function exportsOf(path: string): Exported[] {
  const found = new Map<string, Exported>();
  const file = parseFile(path);
  for (const statement of file.body) {
    if (statement.type === "ExportAllDeclaration") {
      for (const each of exportsOf(fileOf(path, statement))) found.set(each.name, each);
    } else if (statement.type === "ExportNamedDeclaration") {
      for (const { local, exported } of statement.specifiers as { local: Node; exported: Node }[]) {
        const each = exportedAs(file, statement.source ? fileOf(path, statement) : undefined, String(local.name));
        found.set(String(exported.name), { ...each, name: String(exported.name) });
      }
      if (statement.declaration) for (const each of declaredIn(file, statement)) found.set(each.name, each);
    }
  }
  return [...found.values()].sort((a, b) => (a.name.toLowerCase() < b.name.toLowerCase() ? -1 : 1));
}

/** What a name stands for that a file passes on, from another or from its own imports. */
function exportedAs(file: ParsedFile, from: string | undefined, name: string): Exported {
  const own = file.body
    .filter(({ type }) => type !== "ExportNamedDeclaration")
    .flatMap((each) => declaredIn(file, each));
  const origin = from ?? importedFrom(file, name);
  const all = origin ? exportsOf(origin) : own;
  const found = all.find((each) => each.name === name);
  if (!found) throw new Error(`${file.path} exports ${name}, which is not found.`);
  return found;
}

function importedFrom(file: ParsedFile, name: string): string | undefined {
  const statement = file.body.find(
    ({ type, specifiers }) =>
      type === "ImportDeclaration" && (specifiers as { local: Node }[]).some(({ local }) => local.name === name),
  );
  return statement && fileOf(file.path, statement);
}

function fileOf(path: string, { source }: Node): string {
  const target = join(dirname(path), String((source as Node).value));
  return existsSync(`${target}.d.ts`) ? `${target}.d.ts` : join(target, "index.d.ts");
}

function declaredIn(file: ParsedFile, statement: Node): Exported[] {
  const node = (statement.declaration ?? statement) as Node;
  const ids =
    node.type === "VariableDeclaration"
      ? (node.declarations as Node[]).map(({ id }) => id as Node)
      : [node.id as Node | null | undefined];
  const declaration = file.text
    .slice(node.start, node.end)
    .replace(/^declare /, "")
    .replace(/^ {4}(private|#private).*\n/gm, "")
    .replace(/^( {4})+/gm, (spaces) => " ".repeat(spaces.length / 2));
  const comment = commentOf(file, statement);
  return ids.filter((id) => id != null).map((id) => ({ name: String(id.name), comment, declaration }));
}
