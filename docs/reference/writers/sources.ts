import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseSync } from "vite";

export const root = join(import.meta.dirname, "../../..");

/** A piece of a syntax tree, of which only this much is known. */
export interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

export interface ParsedFile {
  readonly path: string;
  readonly text: string;
  readonly body: readonly Node[];
  readonly comments: readonly { readonly value: string; readonly start: number; readonly end: number }[];
}

export function parseFile(path: string): ParsedFile {
  const text = readFileSync(path, "utf8");
  const { program, comments } = parseSync(path, text);
  return { path, text, body: program.body as unknown as Node[], comments };
}

/** The product's sources, without tests and what only they need. */
export function sources(): ParsedFile[] {
  return readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((file) => /\.tsx?$/.test(file) && !/\.test\.|testing|^bench/.test(file))
    .sort()
    .map((file) => parseFile(join(root, "src", file)));
}

/** A node and all below it. */
export function* below(value: unknown): Generator<Node> {
  if (Array.isArray(value)) {
    for (const each of value) yield* below(each);
  } else if (typeof value === "object" && value !== null) {
    if (typeof (value as { type?: unknown }).type === "string") yield value as Node;
    for (const each of Object.values(value)) yield* below(each);
  }
}

/** The doc comment that ends where a node begins; empty where there is none. */
export function commentOf(file: ParsedFile, node: Node): string {
  const before = file.comments.findLast(({ end }) => end <= node.start);
  const isNext = before && file.text.slice(before.end, node.start).trim() === "";
  return isNext && before.value.startsWith("*") ? before.value.slice(1) : "";
}
