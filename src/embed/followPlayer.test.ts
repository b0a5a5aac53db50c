import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createPlayer } from "../player/createPlayer";
import { shownRunOf } from "../player/testing/runs";
import { followPlayer } from "./followPlayer";
import { isMoving } from "./groups";

const FRAMES = ["▁sat", "▁the", "▁the", "▁cat", "▁cat"];
const ends: (() => void)[] = [];

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  for (const end of ends.splice(0)) end();
  vi.useRealTimers();
});

/** A player whose frames are told of, in a group, which plays again and again if it is to. */
function followed(group: string, isLooping = false) {
  const player = createPlayer();
  const told: number[] = [];
  let isSeen = true;
  const follow = () => {
    const follows = followPlayer(player, {
      group,
      isLooping: () => isLooping,
      isSeen: () => isSeen,
      onFrame: ({ step }) => told.push(step),
    });
    ends.push(follows, player.dispose);
    return follows;
  };
  let unfollow = follow();
  return {
    told,
    arrive: (id: string) => player.show(shownRunOf(FRAMES, { id })),
    /** As a run that is written, so many of its frames. */
    write: (id: string, frames: number) => {
      const { trajectory, ...run } = shownRunOf(FRAMES, { id });
      const status = frames < FRAMES.length ? "running" : "done";
      player.show({ ...run, status, trajectory: { ...trajectory, frames: trajectory.frames.slice(0, frames) } });
    },
    hide: () => {
      isSeen = false;
    },
    followAnew: () => {
      unfollow();
      unfollow = follow();
    },
    at: () => player.playback.getState().index,
    now: () => player.playback.getState(),
  };
}

describe("a group (point 25)", () => {
  it("is not moved by a run that arrives later: that takes the time of the others", () => {
    const [one, other] = [followed("g"), followed("g")];
    one.arrive("one");
    one.now().seek(1);
    one.now().play();
    one.told.length = 0;
    other.arrive("other");
    expect([one.at(), other.at()]).toEqual([1, 1]);
    expect(one.now().playing).toBe(true);
    expect(isMoving("g")).toBe(true);
    expect([one.told, other.told]).toEqual([[], [1]]);
    one.now().advance();
    expect([one.at(), other.at()]).toEqual([2, 2]);
    const third = followed("g");
    third.arrive("third");
    expect(third.at()).toBe(2);
  });

  it("goes with a run that is written, whatever plays when that comes (point 25)", () => {
    const [one, other] = [followed("g"), followed("g")];
    one.arrive("one");
    one.now().seek(1);
    one.now().play();
    other.write("other", 1);
    expect([one.at(), other.at()]).toEqual([0, 0]);
    expect(one.now().playing).toBe(false);
    expect(isMoving("g")).toBe(true);
    other.write("other", 4);
    expect([one.at(), other.at(), other.now().following]).toEqual([3, 3, true]);
    other.write("other", 5);
    expect([one.at(), other.at()]).toEqual([4, 4]);
    expect(isMoving("g")).toBe(false);
  });

  it("stands still where the one that plays is out of sight", () => {
    const { arrive, now, hide } = followed("g");
    arrive("one");
    now().play();
    expect(isMoving("g")).toBe(true);
    hide();
    expect(isMoving("g")).toBe(false);
  });

  it("begins at the ends of its runs, and knows no time of one that was there before", () => {
    const one = followed("g");
    one.arrive("one");
    one.now().seek(1);
    for (const end of ends.splice(0)) end();
    const [next, other] = [followed("g"), followed("g")];
    next.arrive("next");
    other.arrive("other");
    expect([next.at(), other.at()]).toEqual([4, 4]);
  });
});

describe("a run that is to play again and again (point 8)", () => {
  it("begins anew once it has played to its end, and not where somebody went there", () => {
    const { arrive, now, at } = followed("", true);
    arrive("one");
    now().seek(3);
    now().play();
    now().seek(4);
    vi.advanceTimersByTime(3000);
    expect([at(), now().playing]).toEqual([4, false]);
    now().seek(3);
    now().play();
    now().advance();
    expect(now().playing).toBe(false);
    vi.advanceTimersByTime(1500);
    expect([at(), now().playing]).toEqual([0, true]);
  });

  it("begins anew whatever touches it in its rest, unless somebody moves it", () => {
    const { arrive, now, at, followAnew } = followed("", true);
    const playToEnd = () => {
      now().seek(3);
      now().play();
      now().advance();
    };
    arrive("one");
    playToEnd();
    vi.advanceTimersByTime(1000);
    now().showStills(true);
    vi.advanceTimersByTime(500);
    expect([at(), now().playing]).toEqual([0, true]);
    playToEnd();
    vi.advanceTimersByTime(1000);
    followAnew();
    vi.advanceTimersByTime(1500);
    expect([at(), now().playing]).toEqual([0, true]);
    playToEnd();
    now().seek(2);
    vi.advanceTimersByTime(3000);
    expect([at(), now().playing]).toEqual([2, false]);
  });
});
