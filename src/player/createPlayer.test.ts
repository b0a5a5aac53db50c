import { afterEach, describe, expect, it, vi } from "vitest";
import type { Visibility } from "./clock";
import { createPlayer } from "./createPlayer";
import { shownRunOf } from "./testing/runs";

const run = shownRunOf(["▁sat", "▁the", "▁the", "▁cat"]);

afterEach(() => void vi.useRealTimers());

describe("a player", () => {
  it("shows nothing, then a run at its end or its start", () => {
    const player = createPlayer();
    expect(player.playback.getState().last).toBe(-1);
    player.show(run);
    expect(player.playback.getState()).toMatchObject({ index: 3, last: 3, total: 3, live: false });
    player.show(shownRunOf(["▁sat", "▁the"], { id: "another" }), "start");
    expect(player.playback.getState()).toMatchObject({ index: 0, last: 1, total: 1 });
    player.show(null);
    expect(player.playback.getState()).toMatchObject({ index: 0, last: -1 });
    expect(player.run.getState()).toBeNull();
    player.dispose();
  });

  it("grows with its run and follows it, or stays where the person is", () => {
    const { times, frames } = run.trajectory;
    const upTo = (count: number) => ({
      ...run,
      status: count < frames.length ? ("running" as const) : ("done" as const),
      trajectory: { ...run.trajectory, times, frames: frames.slice(0, count) },
    });
    const player = createPlayer({ run: upTo(1) });
    expect(player.playback.getState()).toMatchObject({ index: 0, total: 3, live: true, following: true });
    player.show(upTo(2));
    expect(player.playback.getState().index).toBe(1);
    player.playback.getState().seek(0);
    player.show(upTo(4));
    expect(player.playback.getState()).toMatchObject({ index: 0, last: 3, live: false });
    player.dispose();
  });

  it("looks at no token any more when the run is another, and still at it when it has grown", () => {
    const player = createPlayer({ run });
    player.inspection.getState().pin(0);
    player.show({ ...run });
    expect(player.inspection.getState()).toMatchObject({ inspected: 0, pinned: true });
    player.show({ ...run, id: "another" });
    expect(player.inspection.getState()).toMatchObject({ inspected: null, pinned: false });
    player.dispose();
  });

  it("shares nothing with another", () => {
    const [one, other] = [createPlayer({ run }), createPlayer({ run })];
    one.playback.getState().seek(1);
    one.display.getState().set({ reading: "expects" });
    one.inspection.getState().pin(0);
    expect(other.playback.getState().index).toBe(3);
    expect(other.display.getState().reading).toBe("holds");
    expect(other.inspection.getState().inspected).toBeNull();
    one.dispose();
    other.dispose();
  });

  it("shows stills while motion is unwelcome, and no longer than that", () => {
    const motion = Object.assign(new EventTarget(), { matches: true });
    const player = createPlayer({ run, motion: motion as unknown as MediaQueryList });
    expect(player.playback.getState().stills).toBe(true);
    motion.matches = false;
    motion.dispatchEvent(new Event("change"));
    expect(player.playback.getState().stills).toBe(false);
    player.dispose();
    motion.matches = true;
    motion.dispatchEvent(new Event("change"));
    expect(player.playback.getState().stills).toBe(false);
  });

  it("stands still and hears nothing once it is disposed of", () => {
    vi.useFakeTimers();
    const visibility = Object.assign(new EventTarget(), { hidden: false });
    const player = createPlayer({ run, visibility: visibility as unknown as Visibility });
    player.playback.getState().play();
    player.dispose();
    vi.runAllTimers();
    visibility.dispatchEvent(new Event("visibilitychange"));
    vi.runAllTimers();
    expect(player.playback.getState()).toMatchObject({ index: 0, playing: true });
  });
});
