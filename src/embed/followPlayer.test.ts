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
  const follows = followPlayer(player, { group, isLooping: () => isLooping, onFrame: ({ step }) => told.push(step) });
  ends.push(follows, player.dispose);
  return {
    told,
    arrive: (id: string) => player.show(shownRunOf(FRAMES, { id })),
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
});
