import { describe, expect, it } from "vitest";
import type { Recipe } from "../flow/recipe";
import { RUN_SETTINGS } from "../flow/testing/settings";
import { readAddress } from "../studio/session/address";
import { linkTo, recipeIn } from "./link";

const SETTINGS = { ...RUN_SETTINGS, steps: 3, length: 4 };
const root: Recipe = { settings: SETTINGS };
const held = [
  { position: 0, token: 3 },
  { position: 11, token: 4095 },
];
const TEXTS = [
  "Lily and her mom went to the beach.",
  "Hi (there), he said: “come; go!” 'ok'",
  "Grüße, „Welt“; 50 % a:b=c+d #1 & more? \n'x'",
  "100%25 %2C %7B a}b {c} a,hold:1=2",
  "你好 😀 👩‍👩‍👧 ي",
  "a",
  "(_*~.!)",
];

/** Runs of every form. */
const RECIPES: readonly Recipe[] = [
  root,
  { settings: { ...SETTINGS, method: "ode", schedule: "uniform" }, held },
  { settings: { ...SETTINGS, gamma: 0.25, seed: 9 }, held, from: { run: root, step: 2 } },
  { settings: SETTINGS, prompt: { ids: [5, 127, 0] } },
  ...TEXTS.map((text) => ({ settings: SETTINGS, prompt: { text } })),
  { settings: SETTINGS, prompt: { text: TEXTS[1] as string }, held },
  {
    settings: { ...SETTINGS, steps: 64 },
    held,
    from: { run: { settings: SETTINGS, prompt: { text: "a b." } }, step: 1 },
  },
];

const PAGE = "https://page.example/elf/?model=tiny-model";
const wholly = (text: string) => encodeURIComponent(text);
const signs = (these: string, change: (sign: string) => string) => (hash: string) =>
  hash.replace(new RegExp(`[${these}]`, "g"), (sign) => change(encodeURIComponent(sign)));
const upper = (sign: string) => sign;
const lower = (sign: string) => sign.toLowerCase();
const after = (run: string, change: (rest: string) => string) => (hash: string) =>
  hash.startsWith(run) ? run + change(hash.slice(run.length)) : hash;

/** What is done to what stands behind the #. Each leaves only one run that can have been meant. */
const MANGLERS: Record<string, (hash: string) => string> = {
  nothing: (hash) => hash,
  "commas escaped": signs(",", upper),
  "colons escaped": signs(":", lower),
  "commas and colons escaped": signs(",:", upper),
  "all that parts it escaped": signs(",:;=+", lower),
  "all escaped behind run=": after("run=", wholly),
  "all escaped": wholly,
  "all escaped twice": (hash) => wholly(wholly(hash)),
  "all escaped three times": (hash) => wholly(wholly(wholly(hash))),
  "escapes escaped": (hash) => hash.replaceAll("%", "%25"),
  "an address escaped once more": (hash) => encodeURI(hash),
  "an address escaped twice more": (hash) => encodeURI(encodeURI(hash)),
  "escapes in small letters": (hash) => hash.replace(/%[0-9A-F]{2}/g, lower),
  "a slash before it": (hash) => `/${hash}`,
  "an exclamation mark before it": (hash) => `!${hash}`,
  "the format of mails": (hash) => hash.replaceAll("=", "=3D"),
};

const ENDS = [
  ...")]}>.,;:!?\"'`*_~|\\”’»…%",
  ..." \u00a0\u200b\ufeff\u2060\u00ad",
  ...[
    ").",
    ")**",
    '">',
    "'>",
    "</a>",
    "…)",
    " .",
    "&gt;",
    "&quot;",
    "&amp;",
    "%20",
    "%22",
    "%3E",
    "%29",
    "%0D%0A",
    "%E2%80%8B",
  ],
  ...[
    "&utm_source=mail&utm_medium=x",
    "?fbclid=IwAR0_x-y",
    "&fbclid=1",
    "%26utm_source%3Dmail",
    "?utm_source=a#b",
    "#comments",
  ],
  ...[" and see what it writes", "|look at this>", "> look", '" target="_blank"', ":~:text=Lily"],
];

/** What stands between two letters of a link where a program has wrapped it. */
const BREAKS = [
  "\n",
  "\r\n",
  " ",
  "%20",
  "\t",
  "=\r\n",
  "%0A",
  "\n> ",
  "\u200b",
  "%E2%80%8B",
  "\u00ad",
  "\ufeff",
  "&shy;",
].filter((sign) => sign !== "&shy;");

const hashOf = (recipe: Recipe) => linkTo(recipe).slice(1);
/** As the browser gives it. */
const opened = (hash: string) => new URL(`${PAGE}#${hash}`).hash;

describe("a link that was mangled on its way", () => {
  it.each(Object.entries(MANGLERS))("tells of the same run: %s", (_, mangle) => {
    for (const recipe of RECIPES) {
      const hash = opened(mangle(hashOf(recipe)));
      expect(recipeIn(hash), hash).toEqual(recipe);
    }
  });

  it.each(ENDS)("tells of the same run with %j behind it", (end) => {
    for (const recipe of RECIPES) {
      for (const mangle of [MANGLERS.nothing, MANGLERS["all escaped"], MANGLERS["all that parts it escaped"]]) {
        const hash = opened(`${mangle?.(hashOf(recipe))}${end}`);
        expect(recipeIn(hash), hash).toEqual(recipe);
      }
    }
  });

  it.each(BREAKS)("tells of the same run, or of none, with %j anywhere in it", (sign) => {
    let read = 0;
    let tried = 0;
    for (const recipe of RECIPES.filter(({ prompt, from }) => !prompt && !from?.run.prompt)) {
      const hash = hashOf(recipe);
      for (let at = 5; at < hash.length; at += 3) {
        tried++;
        const found = recipeIn(opened(hash.slice(0, at) + sign + hash.slice(at)));
        if (found) read++;
        if (found) expect(found, `at ${at}`).toEqual(recipe);
      }
    }
    expect(read / tried).toBeGreaterThan(0.95);
  });

  it("tells of the same run when it was wrapped and escaped for a mail", () => {
    for (const recipe of RECIPES) {
      const lines =
        hashOf(recipe)
          .replaceAll("=", "=3D")
          .match(/.{1,70}/g) ?? [];
      // An escape is never cut there; of a number that is cut nobody can tell whether it was one.
      const isCut = lines.some(
        (line, i) => /(%.?|=3?)$/.test(line) || (/\d$/.test(line) && /^\d/.test(lines[i + 1] ?? "")),
      );
      if (isCut) continue;
      expect(recipeIn(opened(lines.join("=\r\n")))).toEqual(recipe);
    }
  });

  it("tells of the same run when its escapes were undone, as browsers show addresses", () => {
    for (const recipe of RECIPES) {
      if (recipe.prompt && "text" in recipe.prompt && recipe.prompt.text.includes("%")) continue;
      for (const undo of [decodeURI, decodeURIComponent]) {
        const hash = opened(undo(hashOf(recipe)));
        const prompt = recipe.prompt && "text" in recipe.prompt ? recipe.prompt.text.replaceAll("\n", "") : null;
        expect(recipeIn(hash), hash).toEqual(prompt === null ? recipe : { ...recipe, prompt: { text: prompt } });
      }
    }
  });

  it.each<[string, (address: string) => string]>([
    ["as in Slack", (address) => `${address}|${address}`],
    ["as in Markdown", (address) => `${address}](${address})`],
    ["pasted twice", (address) => address + address],
    ["pasted twice, with a blank", (address) => `${address} ${address}`],
    ["pasted twice, with a line end", (address) => `${address}\n${address}`],
    ["as in a wiki", (address) => `${address} ${address.replace(/^https:..[^#]*/, "")}`],
  ])("tells of the same run, once, where it stands there twice: %s", (_, twice) => {
    for (const recipe of RECIPES) {
      for (const mangle of [MANGLERS.nothing, MANGLERS["all escaped"], MANGLERS["all escaped twice"]]) {
        const { hash } = new URL(twice(`${PAGE}#${mangle?.(hashOf(recipe))}`));
        expect(recipeIn(hash), hash).toEqual(recipe);
      }
    }
    const recipe = { settings: SETTINGS, prompt: { text: `see ${PAGE}#run=steps:3, or http://x.example/` } };
    expect(recipeIn(opened(hashOf(recipe)))).toEqual(recipe);
    expect(recipeIn(new URL(twice(`${PAGE}${linkTo(recipe)}`)).hash)).toEqual(recipe);
  });

  it("tells of the same run where it was escaped as in JSON, which logs and source code have, or with a question mark before it", () => {
    for (const recipe of RECIPES) {
      expect(recipeIn(opened(hashOf(recipe).replaceAll("=", "\\u003d").replaceAll("'", "\\u0027")))).toEqual(recipe);
      expect(recipeIn(opened(`?${hashOf(recipe)}`))).toEqual(recipe);
    }
  });

  it("keeps the signs of a prompt whose escapes a program has undone, and takes a plus for a blank", () => {
    for (const recipe of RECIPES.filter(({ prompt }) => prompt && "text" in prompt && !/[{}%=]/.test(prompt.text))) {
      const undone = hashOf(recipe).replace(/%(?!7B|7D|2B|25|23|22|3C|3E|0A|20)[2-7][0-9A-F]/g, decodeURIComponent);
      expect(recipeIn(opened(undone)), undone).toEqual(recipe);
      expect(recipeIn(opened(hashOf(recipe).replaceAll("%20", "+")))).toEqual(recipe);
    }
  });

  it("has U+FFFD in its prompt where a program left half a character there", () => {
    const half = { settings: SETTINGS, prompt: { text: "A kite \ud83d" } };
    const whole = { settings: SETTINGS, prompt: { text: "A kite \ufffd" } };
    expect(recipeIn(hashOf(half))).toEqual(whole);
    const undone = hashOf({ settings: SETTINGS, prompt: { text: "A kite Q" } })
      .replaceAll("%20", " ")
      .replace("Q", "\ud83d");
    // What is no sign of a link may have been put there by another program.
    expect(recipeIn(undone)?.prompt).toEqual({ text: expect.stringMatching(/^A kite \ufffd?$/) });
  });

  it("is said to be broken where it was cut within an escape of its prompt and something put there", () => {
    const hash = hashOf({ settings: SETTINGS, prompt: { text: "Grüße, Welt" } });
    for (const sign of [" ", "> ", "<br>"]) expect(recipeIn(opened(hash.replace("%2C", `%2${sign}C`)))).toBeUndefined();
  });

  it("tells of the same run in letters of one size, where it has no prompt", () => {
    for (const recipe of RECIPES.filter(({ prompt, from }) => !prompt && !from?.run.prompt)) {
      expect(recipeIn(opened(hashOf(recipe).toLowerCase()))).toEqual(recipe);
      expect(recipeIn(opened(hashOf(recipe).toUpperCase()))).toEqual(recipe);
    }
  });

  it("tells of the same run with blanks in place of pluses, as forms write them", () => {
    for (const recipe of RECIPES.filter(({ prompt }) => !prompt || "ids" in prompt)) {
      expect(recipeIn(opened(hashOf(recipe).replaceAll("+", " ")))).toEqual(recipe);
    }
  });

  it("tells of the same run where its # was escaped, so that it stands in the query or the path", () => {
    for (const recipe of RECIPES) {
      for (const mangle of Object.values(MANGLERS)) {
        const escaped = `%23${mangle(hashOf(recipe)).replaceAll("#", "%23")}`;
        for (const address of [
          `${PAGE}${escaped}`,
          `${PAGE}&backend=wasm${escaped}`,
          `https://page.example/elf/${escaped}`,
        ]) {
          const { search, hash, pathname } = new URL(address);
          const read = readAddress(search, hash, pathname);
          expect(read.problem, address).toBeNull();
          expect(read.recipe, address).toEqual(recipe);
          if (search) expect(read.model).toBe("tiny-model");
        }
      }
    }
  });

  it("is said to be broken where a part of it is missing, and is never another run", () => {
    for (const recipe of RECIPES) {
      const hash = hashOf(recipe);
      for (const mangle of [MANGLERS.nothing, MANGLERS["all escaped"]]) {
        const whole = mangle?.(hash) ?? "";
        for (let end = 6; end < whole.length; end += 7) {
          const read = recipeIn(opened(whole.slice(0, end)));
          // A whole run and nothing of a fork of it, or fewer digits, cannot be told from what was meant.
          if (read?.prompt && "text" in read.prompt)
            expect(read.prompt).toEqual(recipe.prompt ?? recipe.from?.run.prompt);
          expect(read, "it is always said").not.toBeNull();
        }
      }
    }
  });

  it("of an earlier version, without braces, is read as it was, and mended where that is possible", () => {
    const old = `run=${hashOf(root).slice(4)},prompt:Gr%C3%BC%C3%9Fe%2C%20Welt.`;
    const recipe = { settings: SETTINGS, prompt: { text: "Grüße, Welt." } };
    expect(recipeIn(`#${old}`)).toEqual(recipe);
    for (const mangle of [signs(",:", upper), wholly, (hash: string) => wholly(wholly(hash)), decodeURIComponent]) {
      const hash = opened(mangle(old));
      expect(recipeIn(hash), hash).toEqual(recipe);
    }
    expect(recipeIn(opened(`${old}&utm_source=mail`))).toEqual(recipe);
    const more = { ...recipe, held };
    expect(recipeIn(opened(wholly(`${old},hold:0=3+11=4095`)))).toEqual(more);
  });

  it("of a text with half a surrogate pair is a link like any other", () => {
    const link = linkTo({ settings: SETTINGS, prompt: { text: "the cat \ud83d sat" } });
    expect(recipeIn(link)?.prompt).toEqual({ text: "the cat \ufffd sat" });
  });
});

it("is no link where nothing speaks of a run", () => {
  for (const hash of ["", "#", "#elsewhere", "#section-2", "#runner=3", "#%", "#%E0%A4%A", "#:~:text=run", "#run"]) {
    expect(recipeIn(hash), hash).toBeNull();
  }
});
