import { expect, it } from "vitest";
import { MapStorage } from "../testing/studio";
import { createPreferences } from "./preferences";

it("survive a visit, and nonsense among them is passed over", () => {
  const storage = new MapStorage();
  createPreferences(storage).getState().set({ theme: "dark", axis: "steps" });
  expect(createPreferences(storage).getState()).toMatchObject({ theme: "dark", axis: "steps" });
  storage.setItem("elf.preferences", '{"theme":"pink"}');
  expect(createPreferences(storage).getState().theme).toBe("system");
});

it("shift the speed up to its ends and no further", () => {
  const preferences = createPreferences(null);
  for (let i = 0; i < 9; i++) preferences.getState().shiftSpeed(1);
  expect(preferences.getState().speed).toBe(4);
  for (let i = 0; i < 9; i++) preferences.getState().shiftSpeed(-1);
  expect(preferences.getState().speed).toBe(0.25);
});
