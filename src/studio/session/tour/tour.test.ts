import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { goToStop, takeTour } from "../../actions/tour";
import { MapStorage, testStudio } from "../../testing/studio";
import { experimentNamed } from "../experiments/experiments";
import { STOPS } from "./stops";
import { createTour } from "./tour";

describe("the stops", () => {
  it("are the chapters of the documentation, at most seven", () => {
    const chapters = readdirSync("docs/how").map((file) => file.replace(/\.md$/, ""));
    expect(STOPS.map(({ id }) => id).sort()).toEqual(chapters.sort());
    expect(STOPS.length).toBeLessThanOrEqual(7);
  });

  it("name experiments that there are, and places in a run", () => {
    for (const { experiment, share } of STOPS) {
      if (experiment !== undefined) expect(experimentNamed(experiment)).toBeDefined();
      expect(share).toBeGreaterThanOrEqual(0);
      expect(share).toBeLessThanOrEqual(1);
    }
  });
});

describe("the tour", () => {
  it("goes on where it was left, on another visit too, and begins anew once it was taken to its end", () => {
    const storage = new MapStorage();
    const first = createTour(storage, 3);
    first.getState().goTo(1);
    first.getState().leave();
    expect(first.getState()).toMatchObject({ at: null, reached: 1 });
    const second = createTour(storage, 3);
    expect(second.getState()).toMatchObject({ at: null, reached: 1 });
    second.getState().goTo(2);
    second.getState().leave();
    expect(createTour(storage, 3).getState().reached).toBe(0);
  });

  it("knows no stops but its own, and forgets those of a longer one", () => {
    const storage = new MapStorage();
    const tour = createTour(storage, 3);
    for (const stop of [3, -1, 0.5, Number.NaN]) tour.getState().goTo(stop);
    expect(tour.getState().at).toBeNull();
    tour.getState().goTo(2);
    expect(createTour(storage, 2).getState().reached).toBe(0);
    storage.setItem("elf.tour", '{"reached":"far"}');
    expect(createTour(storage, 3).getState().reached).toBe(0);
  });

  it("shows at every stop what is told there", async () => {
    const { studio } = testStudio();
    await studio.open();
    const { player, view } = studio;
    takeTour.run(studio);
    expect(player.playback.getState()).toMatchObject({ index: 0, playing: false });
    for (const [at, stop] of STOPS.entries()) {
      goToStop(studio, at);
      expect(studio.tour.getState().at).toBe(at);
      expect(player.display.getState().reading).toBe(stop.reading);
      expect(view.getState().lens).toBe(stop.lens);
      const { index, last } = player.playback.getState();
      expect(index).toBe(Math.round(stop.share * last));
    }
    expect(player.playback.getState().index).toBe(player.playback.getState().last);
  });

  it("can be taken where there is no run yet", () => {
    const { studio } = testStudio();
    takeTour.run(studio);
    expect(studio.tour.getState().at).toBe(0);
  });
});
