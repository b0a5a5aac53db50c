import { fork } from "../actions/fork";
import { playPause } from "../actions/playPause";
import { stepBack } from "../actions/stepBack";
import { stepForward } from "../actions/stepForward";
import { toEnd } from "../actions/toEnd";
import { settlingOf } from "../run/settling";
import { useSelectedRun, useStudio, useStudioStore } from "../StudioContext";
import { SPEEDS } from "../stores/preferences";
import { ActionButton } from "../ui/ActionButton";
import { Choice } from "../ui/Choice";
import { Icon } from "../ui/Icon";
import { Track } from "./Track";
import "./Transport.css";

const AXES = [
  { value: "time", label: "even in t", hint: "Steps stand at their real times" },
  { value: "steps", label: "even in steps", hint: "Every step takes the same room" },
] as const;

const SPEED_OPTIONS = SPEEDS.map((speed) => ({ value: String(speed), label: `${speed}×` }));

/** The one control of time: stage and all that is to come follow it. */
export function Transport() {
  const { preferences } = useStudio();
  const run = useSelectedRun();
  const { index, last, total, live, playing, following, stills } = useStudioStore("playback", (state) => state);
  const { reading, axis, speed } = useStudioStore("preferences", (state) => state);
  const modelName = useStudioStore("model", ({ name }) => name);
  const phase = useStudioStore("generation", ({ phase }) => phase);
  const refused = useStudioStore("settings", ({ refusals }) => Object.keys(refusals).length > 0);
  // Its room is kept until there is something to play.
  if (!run || last < 0) return <div className="transport-room" />;
  const forkable = index < total && run.trajectory.model === modelName && phase !== "loading" && !refused;
  const moving = playing || following;
  return (
    <section className="transport" aria-label="Time">
      <div className="transport-buttons">
        <ActionButton action={stepBack} label="Step back" disabled={index <= 0}>
          <Icon name="back" />
        </ActionButton>
        <ActionButton action={playPause} label={moving ? "Pause" : "Play"} className="transport-play">
          <Icon name={moving ? "pause" : "play"} size={22} />
        </ActionButton>
        <ActionButton action={stepForward} label="Step forward" disabled={index >= last}>
          <Icon name="forward" />
        </ActionButton>
      </div>
      <Track run={run} settling={settlingOf(run, reading)} axis={axis} index={index} />
      <p className="transport-readout" data-testid="readout">
        <b>{`t = ${(run.trajectory.times[index] ?? 0).toFixed(2)}`}</b>
        <span>{`step ${index} of ${total}`}</span>
      </p>
      <div className="transport-more">
        <Choice
          look="quiet"
          label="Speed"
          value={String(speed)}
          options={SPEED_OPTIONS}
          onChange={(value) =>
            preferences.getState().set({ speed: SPEEDS.find((known) => String(known) === value) ?? 1 })
          }
        />
        {live && !following && (
          <ActionButton action={toEnd} label="Follow the newest step" className="transport-follow">
            Follow
          </ActionButton>
        )}
        {stills && <span className="transport-note">Plays start, middle and end</span>}
        <ActionButton
          action={fork}
          label="Go on from this step, with the settings as they stand"
          className="action-button--outlined transport-fork"
          disabled={!forkable}
        >
          <Icon name="fork" size={17} /> Go on from here
        </ActionButton>
        <Choice
          look="quiet"
          label="Lay the track out"
          value={axis}
          options={AXES}
          onChange={(value) => preferences.getState().set({ axis: value })}
        />
      </div>
    </section>
  );
}
