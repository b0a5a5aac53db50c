import { existsSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { defineConfig } from "vitepress";
import { writeLlms } from "./llms";
import { placeOf } from "./place";

const docs = join(import.meta.dirname, "..");
const { base, above, preview } = placeOf(process.env.ELF_SITE);

/** Every page, in the order of the menu. */
export const sidebar = [
  {
    text: "Start",
    items: [
      { text: "A first run", link: "/start" },
      { text: "The page", link: "/page" },
    ],
  },
  {
    text: "How ELF writes",
    items: [
      { text: "1 Noise", link: "/how/noise" },
      { text: "2 One step", link: "/how/step" },
      { text: "3 Schedule", link: "/how/schedule" },
      { text: "4 Self-conditioning", link: "/how/self-conditioning" },
      { text: "5 Guidance", link: "/how/guidance" },
      { text: "6 Decoding", link: "/how/decoding" },
      { text: "7 Few steps", link: "/how/few-steps" },
    ],
  },
  {
    text: "Guides",
    items: [
      { text: "Translate", link: "/guides/translate" },
      { text: "Continue an opening", link: "/guides/continue" },
      { text: "Hold words", link: "/guides/hold" },
      { text: "Go on from a step", link: "/guides/go-on" },
      { text: "Compare runs", link: "/guides/compare" },
      { text: "Bring your own checkpoint", link: "/guides/checkpoint" },
      { text: "Train your own", link: "/guides/train" },
      { text: "Evaluate on a TPU pod", link: "/guides/evaluate" },
      { text: "Embed in your pages", link: "/guides/embed" },
      { text: "Deploy", link: "/hosting" },
    ],
  },
  {
    text: "Reference",
    items: [
      { text: "The element", link: "/embed" },
      { text: "The package", link: "/reference/package" },
      { text: "The command elf-playground", link: "/reference/command" },
      { text: "Settings and links", link: "/reference/settings" },
      { text: "Files", link: "/reference/files" },
      { text: "Errors", link: "/reference/errors" },
      { text: "Models that ship", link: "/reference/models" },
      { text: "Browsers and GPUs", link: "/reference/browsers" },
      { text: "What a browser may deny", link: "/denied" },
      { text: "What is survived", link: "/faults" },
    ],
  },
  {
    text: "The Python package",
    items: [
      { text: "All of it", link: "/reference/python-package" },
      { text: "The command elf", link: "/reference/elf" },
      { text: "Configuration", link: "/reference/configuration" },
      { text: "Errors of elf", link: "/reference/python-errors" },
      { text: "An exported model", link: "/reference/exported-model" },
    ],
  },
  {
    text: "Beyond",
    items: [
      { text: "Figures", link: "/figures" },
      { text: "In which browsers", link: "/engines" },
      { text: "What does not grow", link: "/soak" },
      { text: "With much of everything", link: "/load" },
      { text: "Beside its peers", link: "/peers" },
      { text: "What was tried", link: "/experiments" },
      { text: "Security and privacy", link: "/security" },
      { text: "Contributing", link: "/contributing" },
      { text: "The player, in the house", link: "/player" },
    ],
  },
];

export default defineConfig({
  title: "ELF Playground",
  description: "How a continuous-flow language model writes, and how to run, embed and train one.",
  lang: "en",
  base,
  outDir: "../dist/docs",
  cleanUrls: false,
  // Parts of pages, and words of the packages that some of them stand on.
  srcExclude: ["parts/**", "node_modules/**"],
  head: [
    ["link", { rel: "icon", href: above("favicon.svg") }],
    ["meta", { property: "og:image", content: preview }],
    ["meta", { name: "twitter:card", content: "summary_large_image" }],
    ["script", { type: "module", src: above("embed/elf-playground.js") }],
  ],
  vue: { template: { compilerOptions: { isCustomElement: (name) => name === "elf-playground" } } },
  markdown: { config: (markdown) => markdown.use(sourcesWithoutLinks) },
  themeConfig: {
    search: { provider: "local" },
    outline: [2, 3],
    nav: [
      { text: "Start", link: "/start" },
      { text: "How ELF writes", link: "/how/noise" },
      { text: "Guides", link: "/guides/translate" },
      { text: "Reference", link: "/embed" },
      { text: "Figures", link: "/figures" },
      { text: "In which browsers", link: "/engines" },
      { text: "What does not grow", link: "/soak" },
      { text: "With much of everything", link: "/load" },
    ],
    sidebar,
  },
  buildEnd: ({ outDir }) => writeLlms(docs, outDir, base, sidebar),
});

interface MarkdownState {
  readonly tokens: Token[];
  readonly env: { readonly path?: string };
}

interface Token {
  type: string;
  attrGet(name: string): string | null;
  hidden: boolean;
  children: Token[] | null;
}

/** Links to files of the repository, which are no pages here, lead nowhere from a site: their words stay. */
function sourcesWithoutLinks(markdown: {
  core: { ruler: { push(name: string, rule: (state: MarkdownState) => void): void } };
}) {
  markdown.core.ruler.push("sources-without-links", ({ tokens, env }) => {
    for (const { children } of tokens) {
      if (!children) continue;
      let inside = false;
      for (let at = 0; at < children.length; at++) {
        const token = children[at];
        if (!token) continue;
        if (token.type === "link_open") inside = isSource(token.attrGet("href") ?? "", env.path ?? docs);
        if (inside && (token.type === "link_open" || token.type === "link_close")) {
          if (token.type === "link_close") inside = false;
          children.splice(at--, 1);
        }
      }
    }
  });
}

/** Whether a link leads out of this folder, or from an included file to one beside it. */
function isSource(href: string, page: string): boolean {
  if (href === "" || /^([a-z]+:|#|\/)/.test(href)) return false;
  const target = join(dirname(page), href.replace(/#.*/, ""));
  return relative(docs, target).startsWith("..") || !existsSync(target);
}
