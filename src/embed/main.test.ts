import { expect, it } from "vitest";

it("importing the element where there is no page throws nothing (point 14)", async () => {
  expect(typeof customElements).toBe("undefined");
  const { ElfPlayground } = await import("./main");
  expect(ElfPlayground.observedAttributes).toContain("trace");
});
