import { expect, it } from "vitest";
import { createDisplay } from "./display";

it("shifts the speed up to its ends and no further", () => {
  const display = createDisplay();
  for (let i = 0; i < 9; i++) display.getState().shiftSpeed(1);
  expect(display.getState().speed).toBe(4);
  for (let i = 0; i < 9; i++) display.getState().shiftSpeed(-1);
  expect(display.getState().speed).toBe(0.25);
});

it("switches reading and axis, and back", () => {
  const display = createDisplay();
  display.getState().switchReading();
  display.getState().switchAxis();
  expect(display.getState()).toMatchObject({ reading: "expects", axis: "steps" });
  display.getState().switchReading();
  display.getState().switchAxis();
  expect(display.getState()).toMatchObject({ reading: "holds", axis: "time" });
});
