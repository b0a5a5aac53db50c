/**
 * Inputs as somebody would send them who wants harm: what is right, with one to three things wrong in it. What is merely
 * random is refused at its first letter and shows nothing.
 */
import fc from "fast-check";
import { wellFormed } from "../../src/flow/text";

/** Times that a part is said again where a file is stretched; what takes the square of that hangs. */
const LONGEST = 200_000;

/** Letters of the longest list that is made of a short one. */
const MOST_LETTERS = 2e6;

/** What no field expects, the edges of its kind, and names by which JavaScript could be led astray. */
const SILLY: readonly unknown[] = [
  ...[null, true, false, 0, -0, -1, 0.5, 1e-9, 255, 2 ** 31, 2 ** 32, 2 ** 53, 2 ** 64, 1e308, -1e308],
  ...["", " ", "0", "1e400", "__proto__", "constructor", "toString", "\u0000", "\ud800", "\ufeff", "‮", "../../x"],
  ...["//evil.example/x", "https://evil.example/x", "javascript:alert(1)", "data:text/html,x", "%2e%2e%2f", "C:\\x"],
  ...["<script>alert(1)</script>", "(a+)+$", "\u00c5".normalize("NFD"), "a".repeat(5000)],
  ...[[], {}, [[]], [null], { toString: 1 }, { length: 1e9 }, JSON.parse('{"__proto__":{"x":1}}')],
];

const silly = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...SILLY) }, fc.jsonValue({ maxDepth: 3 }));

type Step = (value: unknown) => unknown;

/** Changes one place of a value, found by walking down from the top. */
const jsonStep: fc.Arbitrary<Step> = fc
  .record({
    way: fc.array(fc.nat(), { minLength: 1, maxLength: 8 }),
    deed: fc.constantFrom("put", "put", "put", "drop", "double", "stretch", "rename", "swap"),
    value: silly,
    times: fc.constantFrom(2, 100, 10_000),
  })
  .map(({ way, deed, value, times }) => {
    const change = (at: unknown, depth: number): unknown => {
      if (typeof at !== "object" || at === null) return value;
      const keys = Object.keys(at);
      if (keys.length === 0) return value;
      const key = keys[(way[depth] ?? 0) % keys.length] as string;
      const inner = (at as Record<string, unknown>)[key];
      const goesOn = depth + 1 < way.length && typeof inner === "object" && inner !== null;
      const copy: unknown = Array.isArray(at) ? [...at] : { ...at };
      const fields = copy as Record<string, unknown>;
      if (goesOn) fields[key] = change(inner, depth + 1);
      else if (deed === "put") fields[key] = value;
      else if (deed === "drop" && Array.isArray(copy)) copy.splice(Number(key), 1);
      else if (deed === "drop") delete fields[key];
      else if (deed === "swap") fields[key] = (at as Record<string, unknown>)[keys[0] as string];
      else if (deed === "rename" && !Array.isArray(copy))
        fields[typeof value === "string" ? value : JSON.stringify(value)] = inner;
      else if (deed === "stretch") fields[key] = stretched(inner, times);
      else if (Array.isArray(copy)) copy.splice(Number(key), 0, inner);
      else fields[`${key}2`] = inner;
      return copy;
    };
    return (top) => change(top, 0);
  });

function stretched(value: unknown, times: number): unknown {
  if (typeof value === "number") return value * times;
  if (typeof value === "string") return value.slice(0, 20).repeat(times);
  if (!Array.isArray(value) || value.length === 0) return value;
  const letters = JSON.stringify(value).length / value.length;
  return Array.from({ length: Math.min(times, MOST_LETTERS / letters) }, (_, i) => value[i % value.length]);
}

/** Files in JSON: one of `examples`, changed; or its text, changed. */
export function jsonFiles(...examples: readonly string[]): fc.Arbitrary<string> {
  const values = examples.map((text) => JSON.parse(text) as unknown);
  const changed = fc
    .tuple(fc.constantFrom(...values), fc.array(jsonStep, { minLength: 1, maxLength: 3 }))
    .map(([value, steps]) => JSON.stringify(steps.reduce((at, step) => step(at), value)) ?? "");
  return fc.oneof(
    { weight: 6, arbitrary: changed },
    { weight: 2, arbitrary: texts(...examples) },
    { weight: 1, arbitrary: fc.json() },
    { weight: 1, arbitrary: fc.constantFrom("[", '{"a":').map((open) => open.repeat(20_000)) },
  );
}

/** Pieces that a text can be broken with. */
const MARKS = [..."#?&=:;,+%<>{}[]()|\\/'\"*. \t\n\r", "%25", "%7B", "%7D", "=3D", "\u0000", "\ufeff", "\ud800", "𝕏"];

/** Texts: one of `examples`, cut, doubled, with foreign signs in it, with a part of it said very often. */
export function texts(...examples: readonly string[]): fc.Arbitrary<string> {
  const step = fc.record({
    at: fc.nat(),
    length: fc.integer({ min: 0, max: 12 }),
    put: fc.oneof(fc.constantFrom(...MARKS), fc.string({ unit: "grapheme", maxLength: 8 })),
    deed: fc.constantFrom("put", "put", "cut", "drop", "repeat", "escape", "shout", "stretch", "stretch own"),
    times: fc.constantFrom(3, 300, LONGEST / 10),
  });
  type Deed = typeof step extends fc.Arbitrary<infer D> ? D : never;
  const apply = (text: string, { at, length, put, deed, times }: Deed): string => {
    const place = at % (text.length + 1);
    const [before, after] = [text.slice(0, place), text.slice(place)];
    if (deed === "put") return before + put + after;
    if (deed === "cut") return before;
    if (deed === "drop") return before + after.slice(length);
    if (deed === "repeat") return before + after.slice(0, length) + after;
    if (deed === "escape") return before + encodeURIComponent(wellFormed(after));
    if (deed === "shout") return before + after.toUpperCase();
    const part = deed === "stretch" ? put : after.slice(0, length) || put;
    return before + part.repeat(times).slice(0, LONGEST) + after;
  };
  const changed = fc
    .tuple(fc.constantFrom(...examples), fc.array(step, { minLength: 1, maxLength: 3 }))
    .map(([text, steps]) => steps.reduce(apply, text));
  return fc.oneof({ weight: 9, arbitrary: changed }, { weight: 1, arbitrary: fc.string({ unit: "binary" }) });
}

/** Files of bytes: one of `examples`, with bits flipped, numbers set to their greatest, parts cut, doubled, said very often. */
export function byteFiles(...examples: readonly Uint8Array[]): fc.Arbitrary<Uint8Array<ArrayBuffer>> {
  // A `Buffer` gives no copies of itself.
  const copies = examples.map((bytes) => Uint8Array.from(bytes));
  const step = fc.record({
    // Heads and tails say how long all else is.
    at: fc.oneof(fc.nat(64), fc.nat(), fc.integer({ min: -64, max: -1 })),
    length: fc.integer({ min: 1, max: 64 }),
    put: fc.uint8Array({ minLength: 1, maxLength: 10 }),
    deed: fc.constantFrom("flip", "flip", "put", "put", "greatest", "zero", "cut", "drop", "insert", "stretch"),
    times: fc.constantFrom(3, 300, LONGEST / 10),
  });
  type Deed = typeof step extends fc.Arbitrary<infer D> ? D : never;
  const apply = (bytes: Uint8Array<ArrayBuffer>, { at, length, put, deed, times }: Deed): Uint8Array<ArrayBuffer> => {
    const size = bytes.length + 1;
    const place = ((at % size) + size) % size;
    const [before, after] = [bytes.subarray(0, place), bytes.subarray(place)];
    if (deed === "cut") return before.slice();
    if (deed === "drop") return joined(before, after.subarray(length));
    if (deed === "insert") return joined(before, put, after);
    if (deed === "stretch") {
      const part = place % 2 === 0 && after.length > 0 ? after.subarray(0, length) : put;
      return joined(before, ...Array.from({ length: Math.min(times, LONGEST / part.length) }, () => part), after);
    }
    const copy = bytes.slice();
    if (deed === "flip" && copy.length > place) copy[place] = (copy[place] as number) ^ (1 << (length % 8));
    if (deed === "put" && place < copy.length) copy.set(put.subarray(0, copy.length - place), place);
    const end = Math.min(copy.length, place + (length % 9));
    if (deed === "greatest") copy.fill(255, place, end);
    if (deed === "zero") copy.fill(0, place, end);
    return copy;
  };
  const changed = fc
    .tuple(fc.constantFrom(...copies), fc.array(step, { minLength: 1, maxLength: 3 }))
    .map(([bytes, steps]) => steps.reduce(apply, bytes));
  const random = fc.uint8Array({ maxLength: 200 }).map((bytes) => bytes.slice());
  return fc.oneof({ weight: 9, arbitrary: changed }, { weight: 1, arbitrary: random });
}

function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.concat(parts));
}
