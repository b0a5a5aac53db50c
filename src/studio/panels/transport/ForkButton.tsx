import { useStore } from "zustand";
import { fork } from "../../actions/writing";
import { useSelectedRun, useStudio, useStudioStore } from "../StudioContext";
import { ActionButton } from "../ui/ActionButton";
import { Icon } from "../ui/Icon";
import "./ForkButton.css";

/** Goes on from the step shown, with the settings as they stand. */
export function ForkButton() {
  const { player } = useStudio();
  const run = useSelectedRun();
  const isBeforeEnd = useStore(player.playback, ({ index, total }) => index < total);
  const modelName = useStudioStore("model", ({ name }) => name);
  const phase = useStudioStore("generation", ({ phase }) => phase);
  const refused = useStudioStore("settings", ({ refusals }) => Object.keys(refusals).length > 0);
  const forkable = isBeforeEnd && run?.trajectory.model === modelName && phase !== "loading" && !refused;
  return (
    <ActionButton
      action={fork}
      label="Go on from this step, with the settings as they stand"
      className="action-button--outlined transport-fork"
      disabled={!forkable}
    >
      <Icon name="fork" size={17} /> Go on from here
    </ActionButton>
  );
}
