import { expect, it } from "vitest";
import { createDisplay } from "../../../player/display";
import { MapStorage } from "../../testing/studio";
import { createPreferences } from "./preferences";

it("survive a visit, and nonsense among them is passed over", () => {
  const storage = new MapStorage();
  const display = createDisplay();
  createPreferences(storage, display).getState().set({ theme: "dark" });
  display.getState().set({ axis: "steps" });
  const later = createDisplay();
  expect(createPreferences(storage, later).getState()).toMatchObject({ theme: "dark" });
  expect(later.getState()).toMatchObject({ axis: "steps" });
  storage.setItem("elf.preferences", '{"theme":"pink"}');
  expect(createPreferences(storage, createDisplay()).getState().theme).toBe("system");
});

it("are kept together, whichever of them changes", () => {
  const storage = new MapStorage();
  const display = createDisplay();
  const preferences = createPreferences(storage, display);
  display.getState().set({ speed: 2 });
  preferences.getState().set({ letterKeys: false });
  display.getState().set({ speed: 4 });
  preferences.getState().set({ letterKeys: true });
  preferences.getState().set({ letterKeys: false });
  const later = createDisplay();
  expect(createPreferences(storage, later).getState().letterKeys).toBe(false);
  expect(later.getState().speed).toBe(4);
});

it("leave what another tab has changed meanwhile", () => {
  const storage = new MapStorage();
  const display = createDisplay();
  const here = createPreferences(storage, display);
  const there = createDisplay();
  createPreferences(storage, there).getState().set({ theme: "dark" });
  display.getState().set({ speed: 2 });
  there.getState().set({ axis: "steps" });
  here.getState().set({ letterKeys: false });
  const later = createDisplay();
  expect(createPreferences(storage, later).getState()).toMatchObject({ theme: "dark", letterKeys: false });
  expect(later.getState()).toMatchObject({ axis: "steps", speed: 2 });
});
