import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type ESTree, parseSync, Visitor } from "vite";
import { describe, expect, it } from "vitest";
import { GERMAN as ELEMENT_GERMAN } from "../../embed/german";
import { ENGLISH as ELEMENT_ENGLISH } from "../../embed/words";
import { ENGLISH_LENSES } from "../../player/lenses/words";
import { ENGLISH } from "./english";
import { GERMAN } from "./german";

/** Every sentence of a table by its place in it; of those with values in them only the place. */
function sentences(table: object, place = ""): [place: string, sentence: unknown][] {
  return Object.entries(table).flatMap(([key, value]) =>
    typeof value === "object" && value !== null
      ? sentences(value, `${place}${key}.`)
      : [[`${place}${key}`, value] as [string, unknown]],
  );
}

describe("German", () => {
  /** The same in both: names, signs, and what the field calls so. */
  const SAME =
    /^(?:Text|Tour|Token|Tokens|Sampler|Guidance|Seed|Prompt|WASM|WebGPU|System|ODE|SDE|t|γ|w|ω|Guidance ω|Logit-normal|Quantile|Esc)$/;

  it.each([
    ["the page", ENGLISH, GERMAN],
    ["the element", { ...ELEMENT_ENGLISH, lenses: ENGLISH_LENSES }, ELEMENT_GERMAN],
  ])("leaves no sentence of %s in English", (_, english, german) => {
    const known = new Map(sentences(english));
    const left = sentences(german).filter(([place, sentence]) => {
      return typeof sentence === "string" && sentence === known.get(place) && !SAME.test(sentence);
    });
    expect(left).toEqual([]);
    expect(
      sentences(german)
        .map(([place]) => place)
        .sort(),
    ).toEqual([...known.keys()].sort());
  });

  it("counts and writes numbers as German does", () => {
    expect(GERMAN.held.said(1)).toBe("1 Wort im nächsten Lauf festgehalten");
    expect(GERMAN.held.said(2)).toBe("2 Wörter im nächsten Lauf festgehalten");
    expect(GERMAN.bytes(14.3e6)).toBe("14,3 MB");
    expect(GERMAN.prompt.tooManyLetters(50_001, 3)).toContain("50.001 Zeichen");
    expect(GERMAN.keeping.sentence(["Läufe", "Einstellungen", "Modelle"])).toContain(
      "keine Läufe, Einstellungen oder Modelle",
    );
    expect(GERMAN.settings.numberTyped("1,5")).toBe("1.5");
    expect(GERMAN.settings.refused(false, 0.5, 8)).toBe("Möglich ist eine Zahl von 0,5 bis 8.");
  });
});

describe("problems", () => {
  /** Rooms whose errors come to be seen on the page. */
  const ROOMS = ["flow", "format", "delivery", "runtime", "run", "worker", "player", "studio"];
  const CODE = /readonly code = "([^"]+)"/g;

  it("all have a German heading of their own", () => {
    const codes = ROOMS.flatMap((room) => {
      const folder = join(import.meta.dirname, "../..", room);
      const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) =>
        /(?<!\.test)\.tsx?$/.test(file),
      );
      return files.flatMap((file) =>
        [...readFileSync(join(folder, file), "utf8").matchAll(CODE)].map(([, code]) => code),
      );
    });
    expect(codes.length).toBeGreaterThan(20);
    const otherwise = GERMAN.problems.heading("nonsense");
    expect(codes.filter((code) => code !== "cancelled" && GERMAN.problems.heading(code ?? "") === otherwise)).toEqual(
      [],
    );
    expect(ENGLISH.problems.heading("trace")).toBeNull();
  });
});

/** Attributes of elements and properties of views that are said, seen or read aloud. */
const SAID = new Set([
  ...["aria-label", "aria-valuetext", "aria-roledescription", "title", "placeholder", "alt"],
  ...["label", "hint", "name", "about", "note", "explanation", "phase", "detail", "means", "idle"],
]);

/** Of the views that have them: names of fields and kinds, which nobody reads; what the page is called; a sample of a word. */
const NOT_SAID = new Set([
  "ELF",
  "Playground",
  "steps",
  "gamma",
  "cfgScale",
  "selfCondScale",
  "length",
  "seed",
  "so",
  "Esc",
]);

/** Whose names are those of drawings and of places for others, and no words. */
const NAMELESS = new Set(["Icon", "slot"]);

const IS_WORD = /\p{L}{2,}/u;

/** Strings that come to be the value of an expression: not those that a condition compares, nor those that a function is given. */
function stringsOf(node: ESTree.Node | null | undefined): string[] {
  switch (node?.type) {
    case "Literal":
      return typeof node.value === "string" ? [node.value] : [];
    case "TemplateLiteral":
      return [node.quasis.map(({ value }) => value.cooked).join(" ")];
    case "ConditionalExpression":
      return [node.consequent, node.alternate].flatMap(stringsOf);
    case "LogicalExpression":
    case "BinaryExpression":
      return node.type === "LogicalExpression" || node.operator === "+"
        ? [node.left, node.right].flatMap(stringsOf)
        : [];
    case "JSXText":
      return [node.value];
    case "JSXExpressionContainer":
    case "ParenthesizedExpression":
    case "TSAsExpression":
      return stringsOf(node.expression);
    default:
      return [];
  }
}

/** What a view says by itself, and not by its table. */
function ownWords(file: string, source: string): string[] {
  const said: string[] = [];
  const { program, errors } = parseSync(file, source, { lang: "tsx" });
  expect(errors).toEqual([]);
  new Visitor({
    JSXElement: ({ openingElement: { name, attributes }, children }) => {
      said.push(...children.flatMap(stringsOf));
      if (name.type === "JSXIdentifier" && NAMELESS.has(name.name)) return;
      for (const attribute of attributes) {
        const isSaid = attribute.type === "JSXAttribute" && SAID.has(String(attribute.name.name));
        if (isSaid) said.push(...stringsOf(attribute.value));
      }
    },
    JSXFragment: ({ children }) => void said.push(...children.flatMap(stringsOf)),
  }).visit(program);
  return said
    .map((text) => text.replace(/\s+/g, " ").trim())
    .filter((text) => IS_WORD.test(text) && !NOT_SAID.has(text))
    .map((text) => `${file}: ${text}`);
}

describe("views", () => {
  it.each(["studio", "player", "embed"])("of %s say nothing that is not in their table", (room) => {
    const folder = join(import.meta.dirname, "../..", room);
    const views = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(
      (file) => file.endsWith(".tsx") && !file.endsWith(".test.tsx") && !file.startsWith("testing/"),
    );
    expect(views.length).toBeGreaterThan(0);
    expect(views.flatMap((file) => ownWords(file, readFileSync(join(folder, file), "utf8")))).toEqual([]);
  });

  it.each([
    ["<p>Try again</p>", "Try again"],
    ['<button aria-label="Close" />', "Close"],
    ["<p title={`Step \u0024{step} of \u0024{steps}`} />", "Step of"],
    ['<p>{isBusy ? "Stopping" : words.cancel}</p>', "Stopping"],
    ['<>{text || "No words yet."}</>', "No words yet."],
    ['<Choice label="Method" />', "Method"],
  ])("that say something themselves are found: %s", (view, said) => {
    expect(ownWords("x.tsx", `const x = ${view};`)).toEqual([`x.tsx: ${said}`]);
  });

  it.each([
    '<p className="run-card">{words.runs.noWords}</p>',
    '<p>{status === "failed" ? words.failed : words.stopped} · …</p>',
    '<Icon name="close" />',
    '<p title={words.delete("settings")} />',
  ])("that say what is in their table are let by: %s", (view) => {
    expect(ownWords("x.tsx", `const x = ${view};`)).toEqual([]);
  });
});
