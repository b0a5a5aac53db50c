import { describe, expect, it } from "vitest";
import { licenceText, packageFolder } from "../vite.licences";

describe("the list of licences", () => {
  it.each([
    ["/a/node_modules/zod/v4/mini/index.js", "/a/node_modules/zod"],
    ["/a/node_modules/@noble/hashes/sha2.js?commonjs", "/a/node_modules/@noble/hashes"],
    ["/a/node_modules/x/node_modules/y/index.js", "/a/node_modules/x/node_modules/y"],
    ["\0/a/node_modules/react/index.js", "/a/node_modules/react"],
    ["/a/src/flow/clamp.ts", undefined],
    ["\0vite/preload-helper.js", undefined],
  ])("finds the package of %s", (id, folder) => expect(packageFolder(id)).toBe(folder));

  it("has a chapter for each package, by name, and no heading that a licence brings", () => {
    const of = (name: string, text: string | null) => ({ name, version: "1.0.0", licence: "MIT", source: "", text });
    expect(licenceText([of("b", "# MIT\n\nFree."), of("a", null)])).toBe(
      "# What is built into the page, and under which licence\n\n## a 1.0.0 (MIT)\n\n## b 1.0.0 (MIT)\n\n    # MIT\n\n    Free.\n",
    );
  });
});
