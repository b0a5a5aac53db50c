import { expect, it, vi } from "vitest";
import { testStudio } from "../../testing/studio";

vi.mock("./files", () => Promise.reject(new TypeError("Failed to fetch dynamically imported module")));

it("a file whose reader does not come is told of by name", async () => {
  const { studio } = testStudio();
  await studio.openFiles([new Blob(["{}"])]);
  expect(studio.generation.getState().problem).toMatchObject({
    code: "script-part",
    action: "Reload the page, and open the file again.",
  });
});
