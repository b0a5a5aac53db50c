import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { frameSeconds, startClock, type Visibility } from "./clock";
import { createDisplay } from "./display";
import { createPlayback } from "./playback";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("the clock", () => {
  it("shows every frame in turn, then rests", () => {
    const playback = createPlayback();
    const seen: number[] = [];
    playback.subscribe(({ index }) => void (seen.at(-1) === index || seen.push(index)));
    const stop = startClock(playback, createDisplay());
    playback.getState().attach({ last: 4, total: 4, live: false }, "start");
    playback.getState().play();
    vi.runAllTimers();
    expect(seen).toEqual([0, 1, 2, 3, 4]);
    expect(playback.getState().playing).toBe(false);
    stop();
  });

  it("stands still from the moment of a pause", () => {
    const playback = createPlayback();
    startClock(playback, createDisplay());
    playback.getState().attach({ last: 9, total: 9, live: false }, "start");
    playback.getState().play();
    vi.advanceTimersByTime(10);
    playback.getState().toggle();
    vi.runAllTimers();
    expect(playback.getState().index).toBe(0);
  });

  it("waits while nobody can see the page, and goes on from there", () => {
    const playback = createPlayback();
    const page = Object.assign(new EventTarget(), { hidden: true });
    const show = (shown: boolean) => {
      page.hidden = !shown;
      page.dispatchEvent(new Event("visibilitychange"));
    };
    const stop = startClock(playback, createDisplay(), page as unknown as Visibility);
    playback.getState().attach({ last: 9, total: 9, live: false }, "start");
    playback.getState().play();
    vi.advanceTimersByTime(10_000);
    expect(playback.getState()).toMatchObject({ index: 0, playing: true });
    show(true);
    vi.advanceTimersByTime(1000);
    const { index } = playback.getState();
    expect(index).toBeGreaterThan(0);
    show(false);
    vi.advanceTimersByTime(10_000);
    expect(playback.getState()).toMatchObject({ index, playing: true });
    show(true);
    vi.runAllTimers();
    expect(playback.getState()).toMatchObject({ index: 9, playing: false });
    stop();
  });
});

describe("frameSeconds", () => {
  it("keeps a run to a few seconds, within what eyes can follow", () => {
    expect(32 * frameSeconds(32, 1, false)).toBeCloseTo(5.5);
    expect(frameSeconds(1, 1, false)).toBeLessThan(1);
    expect(frameSeconds(1024, 1, false)).toBeGreaterThan(0.03);
    expect(frameSeconds(32, 2, false)).toBeCloseTo(frameSeconds(32, 1, false) / 2);
  });
});
