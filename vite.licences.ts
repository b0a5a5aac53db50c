/** `licences.md`, beside the page and beside the element: the licence of every package that is built into it or into its workers. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";

const FILE = "licences.md";

/** The list, in a `folder` of the build, and what notes the packages of a worker, whose build is one of its own before that of the page. */
export function licences(
  what: "page" | "element",
  folder = "",
): { readonly list: Plugin; readonly noted: () => Plugin } {
  const folders = new Set<string>();
  const note = (bundle: Bundle, styles: readonly string[]) => {
    for (const id of [...builtIn(bundle), ...styles]) {
      const folder = packageFolder(id);
      if (folder) folders.add(folder);
    }
  };
  return {
    noted: () => ({
      name: "elf:noted-for-licences",
      generateBundle(_, bundle) {
        note(bundle, []);
      },
    }),
    list: {
      name: "elf:licences",
      apply: "build",
      generateBundle: {
        order: "post",
        handler(_, bundle) {
          // Of a style sheet, a font's, nothing stands in any script.
          note(
            bundle,
            [...this.getModuleIds()].filter((id) => /\.css(?:\?|$)/.test(id)),
          );
          this.emitFile({
            type: "asset",
            fileName: `${folder}${FILE}`,
            source: licenceText([...folders].map(readPackage), what),
          });
        },
      },
    },
  };
}

type Bundle = Readonly<
  Record<string, { readonly type: string; readonly modules?: Record<string, { renderedLength: number }> }>
>;

/** Modules of which something is left in a script. */
function builtIn(bundle: Bundle): string[] {
  return Object.values(bundle).flatMap(({ modules = {} }) =>
    Object.entries(modules).flatMap(([id, { renderedLength }]) => (renderedLength > 0 ? [id] : [])),
  );
}

/** A package as it stands in the list. */
export interface Licensed {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  /** Where its source is. */
  readonly source: string;
  /** The text that it brings; null where it brings none. */
  readonly text: string | null;
}

/** One chapter for each package, in the order of their names. */
export function licenceText(packages: readonly Licensed[], what = "page"): string {
  const chapters = [...packages]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, version, licence, source, text }) =>
      [`## ${name} ${version} (${licence})`, source, ...(text ? [quoted(text)] : [])].filter(Boolean).join("\n\n"),
    );
  return `# What is built into the ${what}, and under which licence\n\n${chapters.join("\n\n")}\n`;
}

/** Indented, so that no line of a licence counts as a heading of the list. */
function quoted(text: string): string {
  return text.trim().replace(/^(?=.)/gm, "    ");
}

/** The folder of the package that a module belongs to; undefined for the project's own. */
export function packageFolder(id: string): string | undefined {
  const [path = ""] = id.replace(/^\0+/, "").split("?");
  return /^.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/@]+(?=[\\/])/.exec(path)?.[0];
}

function readPackage(folder: string): Licensed {
  const { name, version, license, repository } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const text = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  return {
    name,
    version,
    licence: license ?? "no licence named",
    source: (typeof repository === "string" ? repository : (repository?.url ?? "")).replace(/^git\+/, ""),
    text: text ? readFileSync(join(folder, text), "utf8") : null,
  };
}
