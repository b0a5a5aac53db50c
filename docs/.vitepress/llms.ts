import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

export interface Group {
  readonly text: string;
  readonly items: readonly { readonly text: string; readonly link: string }[];
}

/**
 * Writes `llms.txt`, the list of all pages for programs that read, and `llms-full.txt`, all their words in one file.
 * @param docs folder of the pages. @param out folder of the built site.
 */
export function writeLlms(docs: string, out: string, base: string, sidebar: readonly Group[]): void {
  writeFileSync(join(out, "llms.txt"), llmsText(docs, base, sidebar));
  const pages = sidebar.flatMap(({ items }) => items.map(({ link }) => wordsOf(join(docs, `${link}.md`))));
  writeFileSync(join(out, "llms-full.txt"), pages.join("\n\n"));
}

/** The list: each page with the first sentence of it. */
export function llmsText(docs: string, base: string, sidebar: readonly Group[]): string {
  const groups = sidebar.map(({ text, items }) => {
    const lines = items.map(({ text, link }) => {
      const sentence = firstSentence(wordsOf(join(docs, `${link}.md`)));
      return `- [${text}](${base}${link.slice(1)}.html)${sentence ? `: ${sentence}` : ""}`;
    });
    return `## ${text}\n\n${lines.join("\n")}\n`;
  });
  const what =
    "A continuous-flow language model (ELF) in the browser, its element, its npm package and its Python package.";
  return `# ELF Playground\n\n> ${what}\n\n${groups.join("\n")}`;
}

/** A page as Markdown, with the files that it includes. */
function wordsOf(file: string): string {
  return readFileSync(file, "utf8").replace(/<!--@include: (\S+)-->/g, (_, included: string) => {
    const path = join(dirname(file), included);
    if (!existsSync(path)) throw new Error(`${file} includes ${included}, which there is not.`);
    return wordsOf(path);
  });
}

function firstSentence(markdown: string): string {
  const paragraph = markdown.split(/\n\s*\n/).find((each) => /^[A-Za-z*`]/.test(each)) ?? "";
  const plain = paragraph
    .replace(/\s+/g, " ")
    .replace(/\[([^\]]+)\]\([^)]*\)/g, "$1")
    .trim();
  return /^.*?[.:](?= |$)/.exec(plain)?.[0] ?? plain;
}
