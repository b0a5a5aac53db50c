import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, sep } from "node:path";
import { describe, expect, it } from "vitest";

/** Each part of the house, and the parts it may import from. Later parts stand on earlier ones, never the reverse. */
const MAY_IMPORT = {
  flow: [],
  model: ["flow"],
  engine: ["flow", "model"],
  studio: ["flow", "model", "engine"],
  cli: ["flow", "model"],
  bench: ["flow", "model"],
} as const;

/** Packages that `flow`, the pure mathematics, may use: none. Runtimes belong to `model`, React to `studio`. */
const ONLY_IN: Record<string, readonly string[]> = {
  "onnxruntime-web": ["model"],
  "@huggingface/transformers": ["model"],
  comlink: ["engine"],
  react: ["studio"],
  zustand: ["studio"],
  d3: ["studio"],
};

const IMPORT = /(?:from|import)\s*\(?\s*["']([^"']+)["']/g;

describe("imports point one way", () => {
  for (const [part, allowed] of Object.entries(MAY_IMPORT)) {
    it(part, () => {
      const files = readdirSync(join(import.meta.dirname, part), { recursive: true, encoding: "utf8" })
        .filter((file) => /\.tsx?$/.test(file) && !/\.test\.tsx?$/.test(file))
        .map((file) => join(part, file));
      expect(files.length).toBeGreaterThan(0);
      const wrong = files.flatMap((file) => {
        const source = readFileSync(join(import.meta.dirname, file), "utf8");
        return [...source.matchAll(IMPORT)]
          .map(([, target = ""]) => target)
          .filter((target) => !isAllowed(file, part, target, allowed))
          .map((target) => `${file} imports ${target}`);
      });
      expect(wrong).toEqual([]);
    });
  }
});

function isAllowed(file: string, part: string, target: string, allowed: readonly string[]): boolean {
  // The address of a file, not its code: the worker tells `model` where the runtime's parts lie.
  if (target.endsWith("?url")) return true;
  if (target.startsWith(".")) {
    const [home = ""] = normalize(join(dirname(file), target)).split(sep);
    return home === part || allowed.includes(home);
  }
  const owner = Object.keys(ONLY_IN).find((name) => target === name || target.startsWith(`${name}/`));
  return owner === undefined || (ONLY_IN[owner] ?? []).includes(part);
}
