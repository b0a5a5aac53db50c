import { defineConfig } from "vitepress";

/** Where the site will lie; the page, the element and the models lie one folder higher. */
const base = process.env.DOCS_BASE ?? "/docs/";
const above = (path: string) => new URL(`../${path}`, `http://host${base}`).pathname;
/** Whole where it is known where the site will lie, which some readers of links want. */
const preview = process.env.ELF_SITE ? new URL("preview.png", process.env.ELF_SITE).href : above("preview.png");

export default defineConfig({
  title: "ELF Playground",
  description: "How a continuous-flow language model writes, and how to run, embed and train one.",
  lang: "en",
  base,
  outDir: "../dist/docs",
  cleanUrls: false,
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
      { text: "Guides", link: "/embed" },
    ],
    sidebar: [
      { text: "Start", items: [{ text: "A first run", link: "/start" }] },
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
          { text: "Embed a run", link: "/embed" },
          { text: "Host the page", link: "/hosting" },
          { text: "What a browser may deny", link: "/denied" },
          { text: "The player, in the house", link: "/player" },
        ],
      },
    ],
  },
});

interface Token {
  type: string;
  attrGet(name: string): string | null;
  hidden: boolean;
  children: Token[] | null;
}

/** Links to files of the repository lead nowhere from a site: their words stay. */
function sourcesWithoutLinks(markdown: {
  core: { ruler: { push(name: string, rule: (state: { tokens: Token[] }) => void): void } };
}) {
  markdown.core.ruler.push("sources-without-links", ({ tokens }) => {
    for (const { children } of tokens) {
      if (!children) continue;
      let inside = false;
      for (let at = 0; at < children.length; at++) {
        const token = children[at];
        if (!token) continue;
        if (token.type === "link_open") inside = token.attrGet("href")?.startsWith("../") ?? false;
        if (inside && (token.type === "link_open" || token.type === "link_close")) {
          if (token.type === "link_close") inside = false;
          children.splice(at--, 1);
        }
      }
    }
  });
}
