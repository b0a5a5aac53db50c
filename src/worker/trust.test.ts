import { afterEach, beforeEach, expect, it, vi } from "vitest";

/** As browsers have it where a policy's name may be had once: `trusted-types elf-playground`. */
function trustedTypes() {
  const names = new Set<string>();
  return {
    createPolicy(name: string, rules: { createScriptURL(url: string): string }) {
      if (names.has(name)) throw new TypeError(`Policy with name "${name}" already exists.`);
      names.add(name);
      return rules;
    },
  };
}

const KEPT = Symbol.for("elf-playground policy");

beforeEach(() => {
  vi.resetModules();
  vi.stubGlobal("trustedTypes", trustedTypes());
});
afterEach(() => {
  vi.unstubAllGlobals();
  Reflect.deleteProperty(globalThis, KEPT);
});

it("an element and an engine, each with a script of its own, share the policy of the page", async () => {
  const one = await import("./trust");
  expect(one.trusted("https://a.example/worker.js")).toBe("https://a.example/worker.js");
  vi.resetModules();
  const other = await import("./trust");
  expect(other.trusted).not.toBe(one.trusted);
  expect(other.trusted("https://b.example/worker.js")).toBe("https://b.example/worker.js");
  expect(one.trusted("https://a.example/again.js")).toBe("https://a.example/again.js");
});

it("lets nothing through that was not asked for here", async () => {
  const { trusted } = await import("./trust");
  trusted("https://a.example/worker.js");
  const { policy } = (globalThis as Record<symbol, unknown>)[KEPT] as {
    policy: { createScriptURL(url: string): unknown };
  };
  expect(() => policy.createScriptURL("https://evil.example/worker.js")).toThrow(TypeError);
});
