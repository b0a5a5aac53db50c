import { expect, it } from "vitest";

it("can be imported where there is no document", async () => {
  expect(globalThis.document).toBeUndefined();
  await expect(import("./PlayerView")).resolves.toHaveProperty("PlayerView");
});
