import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, sep } from "node:path";
import { describe, expect, it } from "vitest";

/** Each part of the house, and the parts it may import from. Later parts stand on earlier ones, never the reverse. */
const MAY_IMPORT = {
  flow: [],
  format: ["flow"],
  delivery: ["flow", "format"],
  runtime: ["flow", "format", "delivery"],
  run: ["flow", "format", "delivery", "runtime"],
  worker: ["flow", "format", "delivery", "runtime", "run"],
  player: ["flow"],
  offline: [],
  embed: ["flow", "format", "delivery", "runtime", "run", "worker", "player"],
  "studio/words": ["flow", "delivery", "player"],
  "studio/session": ["flow", "format", "delivery", "runtime", "run", "worker", "player", "offline", "studio/words"],
  "studio/actions": ["flow", "format", "player", "studio/words", "studio/session"],
  "studio/panels": [
    ...["flow", "format", "delivery", "runtime", "run", "player"],
    ...["studio/words", "studio/session", "studio/actions"],
  ],
  studio: [
    "delivery",
    "runtime",
    "worker",
    "player",
    "studio/words",
    "studio/session",
    "studio/actions",
    "studio/panels",
  ],
  package: ["flow", "format", "delivery", "runtime", "run", "worker"],
  cli: ["flow", "format", "delivery", "runtime", "run", "package"],
  bench: ["flow", "format", "delivery", "runtime", "run"],
} as const;

type Room = keyof typeof MAY_IMPORT;

/** Packages that `flow`, the pure mathematics, may use: none. Those that compute belong to `runtime`, React to `player` and the panels. */
const ONLY_IN: Record<string, readonly string[]> = {
  "onnxruntime-web": ["runtime"],
  "@huggingface/tokenizers": ["runtime"],
  "@noble/hashes": ["delivery"],
  idb: ["studio/session"],
  comlink: ["worker"],
  react: ["player", "embed", "studio/panels", "studio"],
  "react-dom": ["embed", "studio"],
  zustand: ["player", "embed", "studio/session", "studio/panels"],
  "radix-ui": ["studio/panels"],
  "@floating-ui/dom": ["player"],
  mediabunny: ["player"],
  zod: ["format", "delivery", "embed", "studio/session"],
  // The builds of the element and of some tests put it in React's place.
  preact: [],
  // Whole, it weighs more than the player; its modules (d3-scale, d3-shape …) are to be taken one by one.
  d3: [],
};

const IMPORT = /(?:from|import)\s*\(?\s*["']([^"']+)["']/g;

describe("imports point one way", () => {
  for (const room of Object.keys(MAY_IMPORT) as Room[]) {
    it(room, () => {
      const files = sourcesOf(room, /\.tsx?$/);
      expect(files.length).toBeGreaterThan(0);
      expect(files.flatMap(([file, source]) => wrongImports(room, file, source))).toEqual([]);
    });
  }

  it.each<[Room, string, string]>([
    ["player", "stage/x.tsx", 'import { useStudio } from "../../studio/panels/StudioContext";'],
    ["studio/session", "x.ts", 'import { App } from "../panels/App";'],
    ["studio/session", "runs/x.ts", 'import { generate } from "../../actions/writing";'],
    ["studio/session", "x.ts", 'import { useStore } from "react";'],
    ["studio/actions", "x.ts", 'import { Chip } from "../panels/ui/Chip";'],
    ["studio/actions", "x.ts", 'import { startStudio } from "../start";'],
    ["studio/panels", "alerts/x.tsx", 'import { startStudio } from "../../start";'],
    ["studio/panels", "alerts/x.tsx", 'import { createEngine } from "../../../worker/client";'],
    ["studio/panels", "x.tsx", 'import { openDB } from "idb";'],
    ["studio", "x.ts", 'import { Dialog } from "radix-ui";'],
    ["player", "x.ts", 'import type { EngineClient } from "../worker/protocol";'],
    ["run", "x.ts", 'import { createEngine } from "../worker/client";'],
    ["run", "x.ts", 'import { proxy } from "comlink";'],
    ["format", "x.ts", 'import { Delivery } from "../delivery/delivery";'],
    ["format", "x.ts", 'import { idsOf } from "../studio/session/writing/prompt";'],
    ["delivery", "store/x.ts", 'import type { Runtime } from "../../runtime/runtime";'],
    ["delivery", "x.ts", 'import { InferenceSession } from "onnxruntime-web";'],
    ["runtime", "x.ts", 'import { writeRun } from "../run/writeRun";'],
    ["runtime", "x.ts", 'import { z } from "zod";'],
    ["runtime", "gpu/x.ts", 'import { sha256 } from "@noble/hashes/sha2.js";'],
    ["cli", "x.ts", 'import { createEngine } from "../worker/client";'],
    ["player", "x.ts", 'import { fetchManifest } from "../delivery/fetchManifest";'],
    ["player", "x.tsx", 'import { Popover } from "radix-ui";'],
    ["player", "x.ts", 'import { z } from "zod";'],
    ["player", "x.ts", 'import { scaleSqrt } from "d3";'],
    ["player", "x.tsx", 'import { createRoot } from "react-dom/client";'],
    ["player", "x.tsx", 'import { useState } from "preact/hooks";'],
    ["embed", "x.ts", 'import { linkTo } from "../studio/address";'],
    ["player", "x.ts", 'import type { Figure } from "../embed/figure";'],
    ["player", "x.ts", 'const later = await import("../cli/options");'],
    ["flow", "x.ts", 'import { useState } from "react";'],
    ["runtime", "x.ts", 'export { createPlayer } from "../player/createPlayer";'],
  ])("%s is told of what it must not import: %s, %s", (room, file, source) => {
    expect(wrongImports(room, `${room}/${file}`, source)).toHaveLength(1);
  });

  it("what may be imported is let by", () => {
    expect(wrongImports("player", "player/x.ts", 'import { scaleLinear } from "d3-scale";')).toEqual([]);
    expect(wrongImports("studio", "studio/x.ts", 'import type { Player } from "../player/createPlayer";')).toEqual([]);
    const ofThePanels = 'import { generate } from "../actions/writing"; import { Part } from "./alerts/Part";';
    expect(wrongImports("studio/panels", "studio/panels/x.tsx", ofThePanels)).toEqual([]);
  });
});

describe("zod", () => {
  it("comes in its small form alone: one import of the large one puts 18 kB, packed, into page, workers and package", () => {
    const whole = (Object.keys(MAY_IMPORT) as Room[])
      .flatMap((room) => sourcesOf(room, /\.tsx?$/))
      .filter(([, source]) => importsOf(source).includes("zod"));
    expect(whole.map(([file]) => file)).toEqual([]);
  });
});

/** What would tie a player to one page, or to one place in it: two of them, one in a shadow root, have to work side by side. */
const TIES: Readonly<Record<string, RegExp>> = {
  "asks the whole document": /(?<![.\w])(?:document|window|globalThis|self)\s*[.[?]/,
  "listens to the window": /(?<![.\w])(?:add|remove)EventListener\s*\(/,
  "makes events up": /\.dispatchEvent\s*\(|new (?:\w+)?Event\s*\(/,
  "has an id that another player has, too":
    /\b(?:id|htmlFor|aria-(?:labelledby|describedby|controls|owns))=(?:["']|\{\s*["'`][^$]*?["'`]\s*\})/,
  "puts views elsewhere": /createPortal|\.Portal\b/,
  "has styles that a shadow root does not get": /import\s*["'][^"']+\.css["']/,
  "hears keys beyond its elements": /addEventListener\s*\(\s*["']key/,
};

/** Escape closes a card that a pointer has opened, wherever the keyboard is then: no element hears of that. */
const HEARS_KEYS = "player/stage/leaving.ts";

function tiesOf(file: string, source: string): string[] {
  const code = source.replace(/\/\*[\s\S]*?\*\/|(?<!:)\/\/.*$/gm, "");
  return Object.entries(TIES)
    .filter(([tie, pattern]) => pattern.test(code) && !(tie.startsWith("hears keys") && file === HEARS_KEYS))
    .map(([tie]) => `${file} ${tie}`);
}

describe("a player is tied to no page", () => {
  it("in its code", () => {
    expect(sourcesOf("player", /\.tsx?$/).flatMap(([file, source]) => tiesOf(file, source))).toEqual([]);
  });

  it.each([
    ["asks the whole document", 'const token = document.querySelector(".token");'],
    ["asks the whole document", "if (window.innerWidth < 720) return null;"],
    ["listens to the window", 'addEventListener("resize", place);'],
    ["makes events up", 'page.dispatchEvent(new Event("resize"));'],
    ["has an id that another player has, too", '<ul aria-labelledby="held-title">'],
    ["has an id that another player has, too", "<p id={`title`}>"],
    ["puts views elsewhere", "return createPortal(card, body);"],
    ["puts views elsewhere", "<Popover.Portal>"],
    ["has styles that a shadow root does not get", 'import "./Stage.css";'],
    ["hears keys beyond its elements", 'page.addEventListener("keydown", onKeyDown);'],
  ])("a view that %s is found: %s", (tie, source) => {
    expect(tiesOf("player/x.tsx", source)).toContain(`player/x.tsx ${tie}`);
  });

  it("what is done through an element, an id of useId and a comment are let by", () => {
    const source = `
      // Not document.querySelector: there may be two.
      const page = card.ownerDocument;
      root.addEventListener("focusin", onFocus);
      <p id={id} aria-describedby={\`\${id}-wrong\`} data-testid="x">`;
    expect(tiesOf("player/x.tsx", source)).toEqual([]);
  });
});

const IN_LAYER = /^@import "\.\/(.+)" layer\(player\);$/gm;

/** Class names that more than one file has; every other one is of one view alone, by its module of styles. */
const GLOBAL_CLASSES = new Set(["player", "visually-hidden"]);

function styleFaults(file: string, css: string): string[] {
  const isModule = file.endsWith(".module.css");
  const named = isModule ? [...css.matchAll(/:global\(([^)]*)\)/g)].map(([, own = ""]) => own).join(" ") : css;
  const strangers = namesIn(named).filter((name) => !GLOBAL_CLASSES.has(name));
  return [
    // Tokens are sizes for fingers, which are those of the device; how views are laid out is told by the player's own width.
    ...(/@media[^{]*\bwidth\b/.test(css) && file !== "player/theme/tokens.css" ? ["is laid out by the window"] : []),
    ...(/(?<!:host,\s*):root/.test(css) ? ["has tokens that a shadow root does not get"] : []),
    ...(/(?:^|[{}])\s*(?:html|body|\*|button|input|p|ul|h[1-6])\s*[,{]/m.test(css)
      ? ["styles the page around it"]
      : []),
    ...(isModule && !css.startsWith("@layer player {") ? ["is in no layer"] : []),
    ...(strangers.length > 0 ? ["has class names that everybody has"] : []),
  ].map((fault) => `${file} ${fault}`);
}

/** A selector in the code of a view: its class is another one in every build. */
const LOOKS_FOR_CLASS = /["'`]\.[a-z][\w-]*(?:["'`,:>[]| \.)/;

/** Words of class names that are written out in a view, and not asked of a module. */
function writtenClasses(source: string): string[] {
  const literals = [...source.matchAll(/className=(?:"([^"]*)"|\{`([^`]*)`\})/g)];
  return literals.flatMap(
    ([, text = "", template = ""]) => `${text} ${template.replace(/\$\{[^}]*\}/g, "")}`.match(/\S+/g) ?? [],
  );
}

describe("a player's styles go where it goes", () => {
  it("what its views stand on by player.css, in its layer", () => {
    const named = sourcesOf("player", /player\.css$/).flatMap(([, css]) => [...css.matchAll(IN_LAYER)]);
    const files = sourcesOf("player", /(?<!player|\.module)\.css$/);
    expect(named.map(([, file]) => `player/${file}`).sort()).toEqual(files.map(([file]) => file).sort());
  });

  it("and every module as text for a shadow root, but those of comparisons, which come with the pages that have them", () => {
    const [, list = ""] = sourcesOf("player", /^styles\.ts$/)[0] ?? [];
    const named = [...list.matchAll(/from "\.\/(.+\.module\.css)\?inline"/g)].map(([, file]) => `player/${file}`);
    expect(named.sort()).toEqual(
      sourcesOf("player", /^(?!compare\/).*\.module\.css$/)
        .map(([file]) => file)
        .sort(),
    );
  });

  it("under names of their own in one shadow root, where names are short", () => {
    const files = sourcesOf("player", /\.module\.css$/).map(([file]) => file.split("/").at(-1));
    expect(new Set(files).size).toBe(files.length);
  });

  it("and each for itself", () => {
    expect(sourcesOf("player", /\.css$/).flatMap(([file, css]) => styleFaults(file, css))).toEqual([]);
  });

  it("and no view has class names that others have", () => {
    const written = sourcesOf("player", /\.tsx$/).flatMap(([, source]) => writtenClasses(source));
    expect(written.filter((name) => !GLOBAL_CLASSES.has(name))).toEqual([]);
    expect(writtenClasses('<p className="player stage"><i className={`token \u0024{styles.held}`} />')).toEqual([
      "player",
      "stage",
      "token",
    ]);
  });

  it("nor does its code look for any", () => {
    const looked = sourcesOf("player", /\.tsx?$/).filter(([, source]) => LOOKS_FOR_CLASS.test(source));
    expect(looked.map(([file]) => file)).toEqual([]);
    expect('const STAYS = ".token, .stage-bar";').toMatch(LOOKS_FOR_CLASS);
  });

  it("the element's own names tell what they are of", () => {
    const names = sourcesOf("embed", /\.(?:css|tsx)$/).flatMap(([file, text]) =>
      file.endsWith(".css") ? namesIn(text) : writtenClasses(text),
    );
    expect(names.filter((name) => !/^figure(-|$)/.test(name) && !GLOBAL_CLASSES.has(name))).toEqual([]);
  });

  it.each([
    ["is laid out by the window", "@layer player {\n  @media (max-width: 560px) { .stage { gap: 0; } } }"],
    ["has tokens that a shadow root does not get", "@layer player { :root { --paper: white; } }"],
    ["styles the page around it", "@layer player {\n  p { margin: 0; } }"],
    ["is in no layer", ".stage { gap: 0; }"],
    ["has class names that everybody has", "@layer player { .stage :global(.choice) { gap: 0; } }"],
  ])("a file that %s is found", (fault, css) => {
    expect(styleFaults("player/x.module.css", css)).toEqual([`player/x.module.css ${fault}`]);
  });

  it("a file without a module that has names for everybody is found", () => {
    expect(styleFaults("player/x.css", ".player .stage { gap: 0; }")).toEqual([
      "player/x.css has class names that everybody has",
    ]);
  });
});

const MODULE = /import (\w+) from "([^"]+\.module\.css)"/g;

/** Class names in the rules of a style sheet; no ends of files that its comments and addresses name. */
function namesIn(css: string): string[] {
  const rules = css.replace(/\/\*[\s\S]*?\*\/|"[^"]*"/g, "");
  return [...rules.matchAll(/\.([a-z][\w-]*)/g)].map(([, name = ""]) => name);
}

/** The classes of a style module as code names them: `.model-dot` is `modelDot`. */
function classesOf(css: string): Set<string> {
  const names = namesIn(css.replace(/:global\([^)]*\)/g, ""));
  return new Set(names.map((name) => name.replace(/-+(\w)/g, (_, letter: string) => letter.toUpperCase())));
}

/** What of style modules is asked for and not there, or there and never asked for. */
function strayClasses(views: ReadonlyMap<string, string>, modules: ReadonlyMap<string, string>): string[] {
  const used = new Map([...modules.keys()].map((file) => [file, new Set<string>()]));
  const missing: string[] = [];
  for (const [file, source] of views) {
    for (const [, name = "", target = ""] of source.matchAll(MODULE)) {
      const module = pathOf(file, target);
      for (const [, asked = ""] of source.matchAll(new RegExp(`\\b${name}\\.(\\w+)`, "g"))) {
        used.get(module)?.add(asked);
        if (!classesOf(modules.get(module) ?? "").has(asked)) missing.push(`${file} asks for ${asked}`);
      }
    }
  }
  const idle = [...modules].flatMap(([file, css]) =>
    [...classesOf(css)]
      .filter((name) => !used.get(file)?.has(name))
      .map((name) => `nobody asks for ${name} of ${file}`),
  );
  return [...missing, ...idle];
}

/** Sizes of type are tokens, or relative to what is around them. */
const RAW_SIZE = /font(?:-size)?:[^;]*(?<![\w.-])\d+(?:\.\d+)?(?:px|rem|pt)\b/;

describe("styles", () => {
  const PAGE = "studio/panels/base.css";

  it("of the panels are modules, each in the studio's layer", () => {
    const others = sourcesOf("studio/panels", /\.css$/).filter(
      ([file, css]) => file !== PAGE && !(file.endsWith(".module.css") && css.startsWith("@layer studio {")),
    );
    expect(others).toEqual([]);
  });

  it("have no class that nobody asks for, and all that are", () => {
    for (const room of ["player", "studio/panels"] as const) {
      const views = new Map(sourcesOf(room, /\.tsx$/));
      expect(strayClasses(views, new Map(sourcesOf(room, /\.module\.css$/)))).toEqual([]);
    }
  });

  it("are found out where they stray", () => {
    const views = new Map([["a/x.tsx", 'import styles from "./x.module.css"; <p className={styles.modelDot} />']]);
    expect(strayClasses(views, new Map([["a/x.module.css", ".model-dot :global(.choice) {}"]]))).toEqual([]);
    expect(strayClasses(views, new Map([["a/x.module.css", ".model-name {}"]]))).toEqual([
      "a/x.tsx asks for modelDot",
      "nobody asks for modelName of a/x.module.css",
    ]);
  });

  it.each<Room>(["player", "embed", "studio/panels"])("take sizes of type from the tokens: %s", (room) => {
    const raw = sourcesOf(room, /\.css$/).filter(([, css]) => RAW_SIZE.test(css));
    expect(raw.map(([file]) => file)).toEqual([]);
  });

  it("with a size of their own are found", () => {
    for (const raw of ["font-size: 12.5px;", "font: 600 13px var(--sans);"]) expect(raw).toMatch(RAW_SIZE);
    for (const fine of ["font: 400 var(--type-title) / 1.4 var(--serif);", "font-size: 0.6em;", "height: 13px;"]) {
      expect(fine).not.toMatch(RAW_SIZE);
    }
  });
});

describe("no circle of imports", () => {
  it.each(Object.keys(MAY_IMPORT) as Room[])("in %s", (room) => {
    expect(circleIn(new Map(sourcesOf(room, /\.tsx?$/)))).toEqual([]);
  });

  it("goes unseen", () => {
    const files = new Map([
      ["player/a.ts", 'import { b } from "./deep/b";'],
      ["player/deep/b.tsx", 'import type { C } from "../c";'],
      ["player/c.ts", 'import { a } from "./a";'],
      ["player/d.ts", 'import { a } from "./a";'],
    ]);
    expect(circleIn(files)).toEqual(["player/a.ts", "player/deep/b.tsx", "player/c.ts", "player/a.ts"]);
    files.set("player/c.ts", "");
    expect(circleIn(files)).toEqual([]);
  });
});

/** Everything that a file runs with, by the imports of files, of those files, and so on. */
function allThatComesWith(file: string, files: ReadonlyMap<string, string>, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const target of importsOf(files.get(file) ?? "")) {
    const next = fileOf(file, target, files);
    if (next) allThatComesWith(next, files, seen);
  }
  return seen;
}

/** Files of `room` that React comes with, which then cannot run without it. */
function boundToReact(room: Room, files: ReadonlyMap<string, string>): string[] {
  const bound = (file: string) => importsOf(files.get(file) ?? "").some((target) => /^react(-dom)?(\/|$)/.test(target));
  return [...files.keys()].filter(
    (file) => roomOf(file) === room && [...allThatComesWith(file, files)].some((other) => bound(other)),
  );
}

describe("what the studio knows and does runs without React", () => {
  it.each<Room>(["studio/session", "studio/actions"])("%s", (room) => {
    const everything = (Object.keys(MAY_IMPORT) as Room[]).flatMap((each) => sourcesOf(each, /\.tsx?$/));
    expect(boundToReact(room, new Map(everything))).toEqual([]);
  });

  it("also not by way of another file", () => {
    const files = new Map([
      ["studio/session/a.ts", 'import { icon } from "../../player/ui/Icon";'],
      ["studio/session/b.ts", 'import type { Player } from "../../player/createPlayer";'],
      ["player/ui/Icon.tsx", 'import type { ReactNode } from "react";'],
      ["player/createPlayer.ts", ""],
    ]);
    expect(boundToReact("studio/session", files)).toEqual(["studio/session/a.ts"]);
  });
});

/** Where a panel would decide by itself whether something can be done, or do it past the one place that asks. */
const DECIDES = /\bperform\(|\.enabled\(/;
const ASKS = "studio/panels/ui/useAction.ts";

describe("panels ask in one place whether an action can be done", () => {
  it("and do it there", () => {
    const deciding = sourcesOf("studio/panels", /\.tsx?$/).filter(([, source]) => DECIDES.test(source));
    expect(deciding.map(([file]) => file)).toEqual([ASKS]);
  });

  it.each([
    "onClick={() => perform(generate, studio)}",
    "const live = fork.enabled(studio);",
  ])("a panel that does not is found: %s", (source) => expect(DECIDES.test(source)).toBe(true));
});

/** A room's own files whose names fit, each with its text; tests may do what they like, and so may what is made for them. */
function sourcesOf(room: Room, name: RegExp): [file: string, source: string][] {
  return readdirSync(join(import.meta.dirname, room), { recursive: true, encoding: "utf8" })
    .filter((file) => name.test(file) && !/\.test\.tsx?$/.test(file))
    .map((file) => `${room}/${file.split(sep).join("/")}`)
    .filter((file) => roomOf(file) === room && !file.startsWith("studio/testing/"))
    .map((file) => [file, readFileSync(join(import.meta.dirname, file), "utf8")]);
}

/** The room in which a file lies, or a folder; within the studio there are rooms of its own. */
function roomOf(file: string): Room | undefined {
  const rooms = Object.keys(MAY_IMPORT) as Room[];
  return rooms.filter((room) => `${file}/`.startsWith(`${room}/`)).sort((a, b) => b.length - a.length)[0];
}

/** The file that `target` stands for in an import of `file`; undefined where it is none of these. */
function fileOf(file: string, target: string, files: ReadonlyMap<string, string>): string | undefined {
  if (!target.startsWith(".")) return undefined;
  return [".ts", ".tsx"].map((end) => pathOf(file, target) + end).find((name) => files.has(name));
}

function pathOf(file: string, target: string): string {
  return normalize(join(dirname(file), target))
    .split(sep)
    .join("/");
}

function importsOf(source: string): string[] {
  return [...source.matchAll(IMPORT)].map(([, target = ""]) => target);
}

function wrongImports(room: Room, file: string, source: string): string[] {
  return importsOf(source)
    .filter((target) => !isAllowed(file, room, target, MAY_IMPORT[room]))
    .map((target) => `${file} imports ${target}`);
}

/** The first circle that is found, its first file named once more at its end; empty where there is none. */
function circleIn(files: ReadonlyMap<string, string>): string[] {
  const done = new Set<string>();
  const from = (file: string, way: readonly string[]): string[] => {
    if (way.includes(file)) return [...way.slice(way.indexOf(file)), file];
    if (done.has(file)) return [];
    for (const target of importsOf(files.get(file) ?? "")) {
      const next = fileOf(file, target, files);
      const circle = next ? from(next, [...way, file]) : [];
      if (circle.length > 0) return circle;
    }
    done.add(file);
    return [];
  };
  for (const file of files.keys()) {
    const circle = from(file, []);
    if (circle.length > 0) return circle;
  }
  return [];
}

function isAllowed(file: string, room: Room, target: string, allowed: readonly string[]): boolean {
  // The address of a file, not its code: the worker tells `runtime` where the runtime's parts lie.
  if (target.endsWith("?url")) return true;
  if (target.startsWith(".")) {
    const home = roomOf(pathOf(file, target));
    return home !== undefined && (home === room || allowed.includes(home));
  }
  const owner = Object.keys(ONLY_IN).find((name) => target === name || target.startsWith(`${name}/`));
  return owner === undefined || (ONLY_IN[owner] ?? []).includes(room);
}
