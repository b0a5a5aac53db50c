import { expect, it } from "vitest";
import { createPlayer } from "../createPlayer";
import { shownRunOf } from "../testing/runs";
import { commandFor, type PlayerKey } from "./commands";

const press = (key: string, change: Partial<PlayerKey> = {}): PlayerKey => ({
  key,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  defaultPrevented: false,
  ...change,
});

/** A place that is none of `places`. */
const PAGE = { closest: () => null };
/** A place that is one of those whose selector holds `name`. */
const on = (name: string) => ({ closest: (places: string) => (places.includes(name) ? ({} as Element) : null) });

it("moves time and looks", () => {
  const player = createPlayer({ run: shownRunOf(["▁sat", "▁the", "▁cat", "▁cat"]) });
  const type = (key: string) => commandFor(press(key), PAGE)?.(player);
  type("Home");
  type("ArrowRight");
  expect(player.playback.getState().index).toBe(1);
  type("End");
  expect(player.playback.getState().index).toBe(3);
  type("ArrowLeft");
  expect(player.playback.getState().index).toBe(2);
  type("]");
  type("R");
  type("e");
  expect(player.display.getState()).toMatchObject({ speed: 2, reading: "expects", axis: "steps" });
  type(" ");
  expect(player.playback.getState().playing).toBe(true);
  type(" ");
  player.dispose();
});

it("leaves alone what is the page's, or has been acted on", () => {
  for (const key of ["g", "f", "Escape", "Tab", "Enter", "constructor"])
    expect(commandFor(press(key), PAGE)).toBeUndefined();
  expect(commandFor(press("r", { ctrlKey: true }), PAGE)).toBeUndefined();
  expect(commandFor(press("ArrowLeft", { altKey: true }), PAGE)).toBeUndefined();
  expect(commandFor(press("ArrowLeft", { defaultPrevented: true }), PAGE)).toBeUndefined();
});

it("types into fields, and presses what Space presses", () => {
  for (const key of ["r", " ", "Home"]) expect(commandFor(press(key), on("input"))).toBeUndefined();
  expect(commandFor(press(" "), on("[role=radio]"))).toBeUndefined();
  expect(commandFor(press("r"), on("[role=radio]"))).toBeDefined();
});
