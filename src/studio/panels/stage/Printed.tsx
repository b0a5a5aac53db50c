import { useStore } from "zustand";
import { recipeOf } from "../../../flow/recipe";
import { linkTo } from "../../../format/link";
import { stepsOf } from "../../../player/run/run";
import { describeSettings } from "../../../player/run/settingsInWords";
import { selectedRun } from "../../session/runs/runs";
import { useStudio, useWords } from "../StudioContext";

/** What a print says under the text, and the page does not need to: which run it is, at what time, and where it can be had. */
export function Printed({ className }: { className: string | undefined }) {
  const { runs, player, model } = useStudio();
  const words = useWords().player;
  const run = useStore(runs, selectedRun);
  const { name, choice } = useStore(model);
  const index = useStore(player.playback, ({ index }) => index);
  if (!run) return null;
  const time = run.trajectory.times[index] ?? 1;
  const address = new URL(location.href);
  // The run, whatever the page itself was opened for; a model from elsewhere has no address.
  address.searchParams.delete("experiment");
  if (choice.kind === "shipped" && name === run.trajectory.model) address.searchParams.set("model", name);
  else address.searchParams.delete("model");
  address.hash = linkTo(recipeOf(run.trajectory));
  return (
    <p className={className} aria-hidden="true" data-testid="printed">
      <span>
        {`${run.modelTitle} · ${describeSettings(run.trajectory, words)} · ${words.track.value(time, index, stepsOf(run))}`}
      </span>
      <br />
      <span translate="no">{address.href}</span>
    </p>
  );
}
