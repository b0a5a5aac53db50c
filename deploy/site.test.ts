/** What a build is told of the place where it will lie, and what links to it look like. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { placeOf } from "../docs/.vitepress/place";
import { recipeOf } from "../src/flow/recipe";
import { recipeIn } from "../src/format/link";
import { readTrace } from "../src/format/trace";
import { linkPreview } from "../vite.site.ts";

const root = join(import.meta.dirname, "..");
const read = (file: string) => readFileSync(join(root, file));

interface Meta {
  readonly attrs: Readonly<Record<string, string>>;
}

function metas(folder: string, html: string): Record<string, string> {
  const transform = linkPreview(folder).transformIndexHtml as unknown as (html: string) => readonly Meta[];
  return Object.fromEntries(
    transform(html).map(({ attrs }) => [attrs.property ?? attrs.name ?? "", attrs.content ?? ""]),
  );
}

describe("a picture for links (point 33)", () => {
  it("is one of a run, as large as previews are, and says which", () => {
    const picture = read("public/preview.png");
    expect([picture.readUInt32BE(16), picture.readUInt32BE(20)]).toEqual([1200, 630]);
    const [, note = ""] = /iTXtelf-playground\0{5}(\{.*?\})/.exec(picture.toString("latin1")) ?? [];
    const { trajectory } = readTrace(read("public/traces/stories.json").toString());
    // To draw it anew: npm run link-picture.
    expect(recipeIn(`#${JSON.parse(note).recipe}`)).toEqual(recipeOf(trajectory));
  });

  afterEach(() => {
    delete process.env.ELF_SITE;
  });

  it("is named by every page, by its whole address where that is known", () => {
    for (const [file, folder] of [
      ["index.html", "./"],
      ["embed.html", "../"],
    ] as const) {
      const html = read(file).toString();
      const named = metas(folder, html);
      expect(html).toContain(`<title>${named["og:title"]}</title>`);
      expect(named).toMatchObject({ "og:image": `${folder}preview.png`, "twitter:card": "summary_large_image" });
    }
    process.env.ELF_SITE = "https://a.example/elf/";
    expect(metas("../", "")["og:image"]).toBe("https://a.example/elf/preview.png");
    expect(read("docs/.vitepress/config.ts").toString()).toContain('property: "og:image"');
  });
});

describe("the documentation's place (ELF_SITE)", () => {
  it.each([
    [undefined, "/docs/", "/embed/", "/preview.png"],
    ["https://a.example/elf/", "/elf/docs/", "/elf/embed/", "https://a.example/elf/preview.png"],
    ["https://a.example/elf", "/elf/docs/", "/elf/embed/", "https://a.example/elf/preview.png"],
    ["https://a.example", "/docs/", "/embed/", "https://a.example/preview.png"],
  ])("%s", (site, base, embed, preview) => {
    const place = placeOf(site);
    expect([place.base, place.above("embed/"), place.preview]).toEqual([base, embed, preview]);
  });
});

describe("npm run build", () => {
  it.each([
    [["--base-models", "models"], /--base-models is “models”/],
    [["--base-models", "ftp://a.example/"], /no plain address of a folder/],
    [["--site", "https://a.example/?x"], /--site is/],
    [["--base-model", "https://a.example/"], /--base-model/],
    [["now"], /now/],
  ])("%j is refused, with what it takes", (words, said) => {
    const { status, stderr } = spawnSync(process.execPath, [join(root, "scripts/build.mjs"), ...words], {
      encoding: "utf8",
    });
    expect(status).toBe(2);
    expect(stderr).toMatch(said);
    expect(stderr).toContain("usage: npm run build --");
  });
});

describe("the page as it is installed", () => {
  it("is another one in each folder of a host", () => {
    const { id, start_url } = JSON.parse(read("public/site.webmanifest").toString());
    // W3C, Web Application Manifest, 1.3 (id): by the origin of where it starts, which it is by itself.
    const identity = (folder: string) => {
      const start = new URL(start_url, `https://host.example/${folder}/site.webmanifest`);
      return new URL(id ?? start.href, start.origin).href;
    };
    expect(identity("a")).toBe("https://host.example/a/");
    expect(identity("b")).toBe("https://host.example/b/");
  });
});
