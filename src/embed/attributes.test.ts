import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ATTRIBUTE_NAMES, CONTROLS, ownHeight, readAttribute } from "./attributes";

describe("an attribute of the element (point 7)", () => {
  it("has a value of its own where it is not written", () => {
    for (const name of ATTRIBUTE_NAMES) expect(readAttribute(name, null).isWrong).toBe(false);
    expect(readAttribute("speed", null).value).toBe(1);
    expect(readAttribute("preload", null).value).toBe("trace");
    expect(readAttribute("controls", null).value).not.toContain("prompt");
  });

  it.each([
    ["speed", "0.25", 0.25],
    ["theme", " dark ", "dark"],
    ["height", "320", 320],
    ["autoplay", "", true],
    ["loop", "false", false],
    ["lens", "paths", "paths"],
    ["controls", "all", CONTROLS],
    ["controls", "none", []],
    ["controls", "scrub  play, reading", ["play", "scrub", "reading"]],
  ] as const)("%s says %j", (name, written, value) => {
    expect(readAttribute(name, written)).toEqual({ value, isWrong: false });
  });

  it.each([
    ["speed", "3"],
    ["theme", "sepia"],
    ["height", "40"],
    ["height", "50%"],
    ["controls", "play rewind"],
    ["controls", ""],
    ["preload", "model"],
    ["lens", "basis"],
    ["lens", "quality"],
  ] as const)("falls back from %s=%j, and says so", (name, written) => {
    expect(readAttribute(name, written)).toEqual({ value: readAttribute(name, null).value, isWrong: true });
  });

  it("is as high as the style sheet has it, where it asks for no height that there is", () => {
    const css = readFileSync("src/embed/embed.css", "utf8");
    const [plain, withLens] = [...css.matchAll(/^ {2}height: (\d+)px;/gm)].map(([, pixels]) => Number(pixels));
    for (const written of [null, "50%"]) {
      expect(ownHeight("text", written)).toBe(plain);
      expect(ownHeight("paths", written)).toBe(withLens);
    }
    expect(ownHeight("paths", "320")).toBe(320);
  });
});
