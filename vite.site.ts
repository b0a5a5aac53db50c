/** What the builds of the page and of the element have in common: where the site will lie, where its models, and whether its documentation does. */
import type { Plugin } from "vite";

/**
 * Put into the scripts: the address of the folder in which the models lie, empty where they lie beside the page; and that of
 * the documentation, empty where it is not built with the page.
 */
export const siteConstants = {
  __BASE_MODELS__: JSON.stringify(process.env.ELF_BASE_MODELS ?? ""),
  __DOCUMENTATION__: JSON.stringify(process.env.ELF_DOCS ?? ""),
};

/** The picture of a run that previews of links show, `public/preview.png`. */
const PICTURE = {
  file: "preview.png",
  width: "1200",
  height: "630",
  alt: "A text that flows out of noise, word by word",
};

/**
 * Says in a page's head what a link to it is to look like. Some readers of links want the picture's whole address, which only
 * a build knows that was told where its site will lie (`npm run build -- --site ADDRESS`); else it stands by `folder`.
 */
export function linkPreview(folder: string): Plugin {
  const site = process.env.ELF_SITE ?? "";
  return {
    name: "elf:link-preview",
    transformIndexHtml(html) {
      const title = /<title>([^<]*)<\/title>/.exec(html)?.[1] ?? "";
      const properties = {
        "og:type": "website",
        "og:title": title,
        "og:image": `${site || folder}${PICTURE.file}`,
        "og:image:width": PICTURE.width,
        "og:image:height": PICTURE.height,
        "og:image:alt": PICTURE.alt,
      };
      const card = { tag: "meta", attrs: { name: "twitter:card", content: "summary_large_image" } };
      const metas = Object.entries(properties).map(([property, content]) => ({
        tag: "meta",
        attrs: { property, content },
      }));
      return [...metas, card];
    },
  };
}
