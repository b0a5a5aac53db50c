import { beforeEach, describe, expect, it } from "vitest";
import { createPlayback } from "./playback";

let playback = createPlayback();
const state = () => playback.getState();

beforeEach(() => {
  playback = createPlayback();
});

describe("playback of a finished run", () => {
  beforeEach(() => state().attach({ last: 4, total: 4, live: false }, "start"));

  it("plays to the end and stops there", () => {
    state().play();
    for (let i = 0; i < 4; i++) state().advance();
    expect(state()).toMatchObject({ index: 4, playing: false, following: false });
  });

  it("begins again when played at its end", () => {
    state().seek(4);
    state().toggle();
    expect(state()).toMatchObject({ index: 0, playing: true });
  });

  it("steps within its frames and stops playing for it", () => {
    state().play();
    state().step(1);
    expect(state()).toMatchObject({ index: 1, playing: false });
    state().step(-5);
    expect(state().index).toBe(0);
    state().seek(99);
    expect(state().index).toBe(4);
  });

  it("does not move by itself while paused", () => {
    state().advance();
    expect(state().index).toBe(0);
  });

  it("shows start, middle and end where motion is unwelcome", () => {
    state().showStills(true);
    state().play();
    state().advance();
    expect(state()).toMatchObject({ index: 2, playing: true });
    state().advance();
    expect(state()).toMatchObject({ index: 4, playing: false });
  });
});

describe("playback of a run being written", () => {
  beforeEach(() => state().attach({ last: 0, total: 8, live: true }, "end"));

  it("follows the newest frame", () => {
    state().grow(3, true);
    expect(state()).toMatchObject({ index: 3, following: true });
  });

  it("stays where the person scrubbed to", () => {
    state().grow(3, true);
    state().seek(1);
    state().grow(5, true);
    expect(state()).toMatchObject({ index: 1, last: 5, following: false });
  });

  it("follows again once play has caught up", () => {
    state().grow(3, true);
    state().seek(2);
    state().play();
    state().advance();
    expect(state()).toMatchObject({ index: 3, playing: false, following: true });
    state().grow(4, true);
    expect(state().index).toBe(4);
  });

  it("rests at the end of the run", () => {
    state().grow(8, false);
    expect(state()).toMatchObject({ index: 8, live: false, following: false, playing: false });
  });

  it("can be paused and taken up again", () => {
    state().toggle();
    state().grow(5, true);
    expect(state().index).toBe(0);
    state().seek(5);
    state().toggle();
    expect(state().following).toBe(true);
  });

  it("shows only the stills while it follows, and the real end", () => {
    state().showStills(true);
    state().grow(3, true);
    expect(state().index).toBe(0);
    state().grow(5, true);
    expect(state().index).toBe(4);
    state().grow(6, false);
    expect(state().index).toBe(6);
  });

  it("shows where a fork leaves its parent before the next still", () => {
    state().showStills(true);
    state().attach({ last: 2, total: 8, live: true, first: 3 }, "end");
    state().grow(3, true);
    expect(state().index).toBe(3);
    state().grow(4, true);
    expect(state().index).toBe(4);
    state().grow(5, true);
    expect(state().index).toBe(4);
  });
});
