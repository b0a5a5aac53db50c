import { describe, expect, it } from "vitest";
import { MOST_LETTERS, type Recipe } from "../flow/recipe";
import { RUN_SETTINGS } from "../flow/testing/settings";
import { linkTo, recipeIn } from "./link";

const SETTINGS = { ...RUN_SETTINGS, steps: 3, length: 4 };
const CURVED = {
  ...SETTINGS,
  gammaCurve: [
    [0, 0.5],
    [0.4, 3],
    [1, 0],
  ] as const,
};
const root: Recipe = { settings: SETTINGS };
const fork: Recipe = { settings: { ...SETTINGS, gamma: 0.25, seed: 9 }, from: { run: root, step: 2 } };
const held = [
  { position: 0, token: 3 },
  { position: 11, token: 4095 },
];

describe("a link", () => {
  it("is short and can be read", () => {
    expect(linkTo(fork)).toBe(
      "#run=steps:3,method:sde,gamma:1.5,selfCondScale:3,cfgScale:1,schedule:logit_normal,solver:euler,rng:original," +
        "seed:7,length:4;from:2,gamma:0.25,seed:9",
    );
  });

  it.each<[string, Recipe]>([
    ["a run from noise", root],
    ["a fork", fork],
    ["a fork that changes nothing", { ...root, from: { run: root, step: 0 } }],
    ["a fork of a fork", { settings: { ...SETTINGS, steps: 64, method: "ode" }, held, from: { run: fork, step: 3 } }],
    ["held tokens", { settings: SETTINGS, held }],
    ["γ over t", { settings: CURVED }],
    ["a fork with γ over t", { settings: CURVED, from: { run: root, step: 1 } }],
    ["a fork without, of one with it", { settings: SETTINGS, from: { run: { settings: CURVED }, step: 1 } }],
    ["a start between two seeds", { settings: SETTINGS, towards: { seed: 8, weight: 0.25 }, held }],
    ["a fork of one", { settings: SETTINGS, from: { run: { ...root, towards: { seed: 0, weight: 1e-7 } }, step: 1 } }],
    ["a start from the noise of a text", { settings: SETTINGS, back: { ids: [5, 0, 127, 5] }, held }],
    ["a prompt", { settings: SETTINGS, prompt: { text: "Grüße, „Welt“; 50 % a:b=c+d #1 \n'x'" } }],
    ["a prompt of numbers", { settings: SETTINGS, prompt: { ids: [5, 127, 0] } }],
    [
      "a fork of a prompted run",
      { settings: SETTINGS, held, from: { run: { ...root, prompt: { text: "a" } }, step: 1 } },
    ],
  ])("leads back to the very recipe: %s", (_, recipe) => {
    const link = linkTo(recipe);
    expect(recipeIn(link)).toEqual(recipe);
    // Nothing of it changes on its way through an address.
    expect(recipeIn(new URL(`http://host/page?model=a${link}`).hash)).toEqual(recipe);
  });

  it("that forks before its fork's own first frame is one of the run that the frame is of", () => {
    const recipe = recipeIn(`${linkTo(root)};from:2,seed:9;from:1`);
    expect(recipe).toEqual({ settings: { ...SETTINGS, seed: 9 }, from: { run: root, step: 1 } });
    expect(linkTo({ settings: SETTINGS, from: { run: fork, step: 1 } })).toBe(`${linkTo(root)};from:1`);
  });

  it("says a curve of γ in a few letters, through which a mail program may go", () => {
    const link = linkTo({ settings: CURVED });
    expect(link).toContain("gammaCurve:0=0.5+0.4=3+1=0");
    const whole = link.replaceAll("=", "=3D");
    expect(recipeIn(whole)).toEqual({ settings: CURVED });
    expect(recipeIn(link.replaceAll("+", " "))).toEqual({ settings: CURVED });
  });

  it("says nothing of a prompt that says nothing", () => {
    expect(linkTo({ ...root, prompt: { text: " " } })).toBe(linkTo(root));
    expect(recipeIn(`${linkTo(root)},prompt:`)).toEqual(root);
  });

  it("is none where the address says nothing of a run", () => {
    expect(recipeIn("")).toBeNull();
    expect(recipeIn("#elsewhere")).toBeNull();
  });

  const good = linkTo(root);
  it.each([
    "#run=",
    "#run=steps:3",
    good.replace("steps:3", "steps:0"),
    good.replace("steps:3", "steps:1e99"),
    good.replace("length:4", "length:90000000"),
    good.replace("method:sde", "method:euler"),
    `${good},from:2`,
    `${good};gamma:0`,
    `${good};from:-1`,
    `${good};from:2,prompt:b`,
    `${good},gammaCurve:`,
    `${good},gammaCurve:1`,
    `${good},gammaCurve:0=1+0=2`,
    `${good},gammaCurve:0=9`,
    `${good},towards:8`,
    `${good},weight:0.5`,
    `${good},towards:8,weight:1.5`,
    `${good},towards:-8,weight:0.5`,
    `${good},towards:8,weight:`,
    `${good};from:2,towards:8,weight:0.5`,
    `${good},back:5+x`,
    `${good},back:`,
    `${good};from:2,back:5`,
    `${good},hold:1`,
    `${good},hold:a=b`,
    `${good},ids:1+x`,
    `${good},prompt:%E0%A4%A`,
    good + ";from:1".repeat(64),
  ])("that is broken is found to be: %s", (hash) => {
    expect(recipeIn(hash)).toBeUndefined();
  });

  it("of the longest chain stays a link", () => {
    let chain = root;
    for (let i = 1; i < 64; i++) chain = { settings: { ...SETTINGS, seed: i }, from: { run: chain, step: 1 } };
    expect(recipeIn(linkTo(chain))).toEqual(chain);
    expect(linkTo(chain).length).toBeLessThan(1200);
  });

  it("that was damaged anywhere is read or refused, never worse", () => {
    const whole = linkTo({ settings: { ...SETTINGS, steps: 64 }, held, from: { run: { ...fork, held }, step: 1 } });
    let state = 1;
    const draw = (below: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const signs = "0159.,;:=+-e#%aN ";
    let read = 0;
    for (let i = 0; i < 5000; i++) {
      const at = 5 + draw(whole.length - 5);
      const damaged = whole.slice(0, at) + (signs[draw(signs.length)] ?? "") + whole.slice(at + draw(4));
      const recipe = recipeIn(damaged);
      if (!recipe) continue;
      read++;
      expect(recipeIn(linkTo(recipe))).toEqual(recipe);
    }
    expect(read).toBeGreaterThan(100);
    expect(read).toBeLessThan(4900);
  });
});

describe("a long link", () => {
  const prompted = (text: string) => linkTo({ settings: SETTINGS, prompt: { text } });

  it("of the longest prompt that is taken is read, escaped twice as well", () => {
    const text = "你好, “Welt”! ".repeat(MOST_LETTERS / 12).slice(0, MOST_LETTERS);
    for (const hash of [prompted(text), `#${encodeURIComponent(encodeURIComponent(prompted(text).slice(1)))}`]) {
      expect(recipeIn(hash)?.prompt).toEqual({ text });
    }
  });

  it("of a book is said to be broken: the box for prompts does not take it either", () => {
    expect(recipeIn(prompted("a".repeat(MOST_LETTERS + 1)))).toBeUndefined();
  });

  it.each([
    "https://",
    "prompt:{",
    "#run=steps:",
    "{}",
    "%25",
    ",",
    ";",
    "=",
    "from:1;",
    "hold:1=2+",
    "1 ",
    "𓄋",
    ":",
    "-",
    ";from:1,:",
  ])("of many %j is read or refused while the page stays awake", (sign) => {
    const text = sign.repeat(300_000 / sign.length);
    const began = process.cpuUsage();
    for (const hash of [
      prompted(text),
      `#run=${text}`,
      `#run=${text}a`,
      `#run=prompt:${text}\\`,
      decodeURIComponent(prompted(text.replaceAll("%", ""))),
    ]) {
      recipeIn(hash);
    }
    // A search that goes back and forth takes half a minute and more.
    expect(process.cpuUsage(began).user / 1e6).toBeLessThan(10);
  });
});
