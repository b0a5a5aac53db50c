import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readTrace } from "../src/format/trace";
import { llmsText } from "./.vitepress/llms";

const docs = import.meta.dirname;
const figures: Record<string, string[]> = JSON.parse(readFileSync(join(docs, "figures.json"), "utf8"));
const traces = readdirSync(join(docs, "public", "traces")).map((file) => file.replace(/\.json$/, ""));
const folders = ["", "how/", "guides/", "reference/"];
const pages = folders.flatMap((folder) =>
  readdirSync(join(docs, folder))
    .filter((file) => file.endsWith(".md"))
    .map((file) => `${folder}${file}`),
);
const textOf = (page: string) => readFileSync(join(docs, page), "utf8");

describe("figures of the documentation", () => {
  it("are recorded, each by the command that is kept for it", () => {
    expect(traces.sort()).toEqual(Object.keys(figures).sort());
  });

  it.each(Object.entries(figures))("%s is the run that its command asks for", (name, words) => {
    const { trajectory } = readTrace(readFileSync(join(docs, "public", "traces", `${name}.json`), "utf8"));
    const said = (option: string) =>
      words.includes(`--${option}`) ? words[words.indexOf(`--${option}`) + 1] : undefined;
    const { settings, from, held } = trajectory;
    if (said("from")) expect(from?.step).toBe(Number(said("at")));
    else expect(trajectory).toMatchObject({ model: said("model"), prompt: { text: said("prompt") } });
    if (said("seed")) expect(settings.seed).toBe(Number(said("seed")));
    if (said("steps")) expect(settings.steps).toBe(Number(said("steps")));
    if (said("method")) expect(settings.method).toBe(said("method"));
    if (said("hold")) expect(held?.map(({ position }) => position + 1)).toEqual([Number(said("hold")?.split("=")[0])]);
    expect(trajectory.frames).toHaveLength(trajectory.times.length);
  });

  it("are all shown, and none is shown that there is not", () => {
    const shown = pages.flatMap((page) =>
      [...textOf(page).matchAll(/<RecordedFigure run="([^"]+)"/g)].map(([, run]) => run),
    );
    expect([...new Set(shown)].sort()).toEqual(Object.keys(figures).sort());
  });
});

describe("llms.txt", () => {
  const menu = readFileSync(join(docs, ".vitepress", "config.ts"), "utf8");
  const items = [...menu.matchAll(/\{ text: "([^"]+)", link: "\/([^"]+)" \}/g)];

  it("lists each page with its first sentence", () => {
    const pick = items.filter(([, , link]) => link === "guides/hold" || link === "reference/exported-model");
    const group = { text: "Some", items: pick.map(([, text = "", link = ""]) => ({ text, link: `/${link}` })) };
    expect(llmsText(docs, "/docs/", [group]).split("\n")).toEqual(
      expect.arrayContaining([
        "- [Hold words](/docs/guides/hold.html): A word may be held in its place from the first step on:",
        expect.stringMatching(/^- \[An exported model\]\(\/docs\/reference\/exported-model\.html\): ./),
      ]),
    );
  });

  it("and the menu leave none out", () => {
    const linked = new Set(items.map(([, , link]) => `${link}.md`));
    expect(pages.filter((page) => page !== "index.md" && !linked.has(page))).toEqual([]);
  });
});

describe("links of the documentation", () => {
  it.each(pages)("%s leads to what is there", (page) => {
    const folder = join(docs, page, "..");
    const targets = [...textOf(page).matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)].map(([, target = ""]) => target);
    expect(targets.filter((target) => !/^https?:/.test(target) && !existsSync(join(folder, target)))).toEqual([]);
  });

  it("of the README, too, whose picture is of the product's making and light", () => {
    const readme = readFileSync(join(docs, "..", "README.md"), "utf8");
    const targets = [...readme.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)|(?:src|srcset)="(docs\/[^"]+)"/g)].map(
      (m) => m[1] ?? m[2],
    );
    const missing = targets.filter(
      (target) => !/^https?:/.test(target ?? "") && !existsSync(join(docs, "..", target ?? "")),
    );
    expect(missing).toEqual([]);
    expect(readFileSync(join(docs, "run.gif")).length).toBeLessThanOrEqual(1.5e6);
  });

  it("of the menus, too", () => {
    const config = readFileSync(join(docs, ".vitepress", "config.ts"), "utf8");
    const links = [...config.matchAll(/link: "\/([^"#]+)/g), ...textOf("index.md").matchAll(/link: \/([\w/-]+)/g)];
    expect(links.length).toBeGreaterThan(10);
    expect(links.map(([, link]) => link).filter((link) => !existsSync(join(docs, `${link}.md`)))).toEqual([]);
  });
});
