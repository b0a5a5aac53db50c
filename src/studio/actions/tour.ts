import type { Studio } from "../session/studio";
import { STOPS } from "../session/tour/stops";
import type { Action } from "./action";

/** Goes to a stop, and shows on the page what is told there. */
export function goToStop({ tour, player, view, comparison }: Studio, at: number): void {
  const stop = STOPS[at];
  if (!stop) return;
  tour.getState().goTo(at);
  comparison.getState().close();
  player.display.getState().set({ reading: stop.reading });
  view.getState().lookThrough(stop.lens);
  const { last, seek } = player.playback.getState();
  if (last >= 0) seek(Math.round(stop.share * last));
}

export const takeTour: Action = {
  id: "take-tour",
  group: "View",
  shortcuts: [{ key: "j" }],
  enabled: () => true,
  run: (studio) => goToStop(studio, studio.tour.getState().reached),
};
