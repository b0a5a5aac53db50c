import type { ComponentType, ReactNode } from "react";
import { useStore } from "zustand";
import { isRead } from "../../flow/trajectory";
import { SPEEDS } from "../display";
import { useGround, usePlayer } from "../PlayerContext";
import { settlingOf } from "../run/settling";
import { Choice } from "../ui/Choice";
import { Icon } from "../ui/Icon";
import { IconButton, type IconButtonProps } from "../ui/IconButton";
import { Track } from "./Track";
import styles from "./Transport.module.css";

const SPEED_OPTIONS = SPEEDS.map((speed) => ({ value: String(speed), label: `${speed}×` }));

/** A button of the transport, and which one it is. */
export interface TransportButtonProps extends IconButtonProps {
  readonly command: "stepBack" | "playPause" | "stepForward" | "toEnd";
}

export interface TransportProps {
  /** What the buttons are made of, where an app has shortcuts and tooltips of its own. */
  readonly button?: ComponentType<TransportButtonProps>;
  /** What else can be done at the time shown. */
  readonly actions?: ReactNode;
}

/** The one control of time: stage and all that is to come follow it. */
export function Transport({ button: TransportButton = IconButton, actions }: TransportProps) {
  const { run: shown, playback, display, words } = usePlayer();
  const ground = useGround();
  const run = useStore(shown);
  const { index, last, total, live, playing, following, stills } = useStore(playback);
  const { reading, axis, speed } = useStore(display);
  // Its room is kept until there is something to play.
  if (!run || last < 0) return <div className={`player ${styles.room}`} data-piece="room" />;
  const { step, toggle, toEnd, seek } = playback.getState();
  const moving = playing || following;
  const { time } = words;
  return (
    <section className={`player ${styles.transport}`} part="transport" aria-label={time.label} ref={ground}>
      <div className={styles.buttons} data-piece="buttons">
        <TransportButton command="stepBack" label={time.back} disabled={index <= 0} onPress={() => step(-1)}>
          <Icon name="back" />
        </TransportButton>
        <TransportButton
          command="playPause"
          label={moving ? time.pause : time.play}
          className={styles.play}
          onPress={toggle}
        >
          <Icon name={moving ? "pause" : "play"} size={22} />
        </TransportButton>
        <TransportButton command="stepForward" label={time.forward} disabled={index >= last} onPress={() => step(1)}>
          <Icon name="forward" />
        </TransportButton>
      </div>
      <Track run={run} settling={settlingOf(run, reading)} axis={axis} index={index} onSeek={seek} />
      <p className={styles.readout} part="readout" data-testid="readout">
        <b>{time.t(run.trajectory.times[index] ?? 0)}</b>
        <span>{time.step(index, total)}</span>
        {!isRead(run.trajectory.frames, index, reading) && <span data-piece="unread">{time.unread}</span>}
      </p>
      <div className={styles.more} data-piece="more">
        <Choice
          look="quiet"
          label={time.speed}
          value={String(speed)}
          options={SPEED_OPTIONS}
          onChange={(value) => display.getState().set({ speed: SPEEDS.find((known) => String(known) === value) ?? 1 })}
        />
        {live && !following && (
          <TransportButton command="toEnd" label={time.followNewest} className={styles.follow} onPress={toEnd}>
            {time.follow}
          </TransportButton>
        )}
        {stills && <span className={styles.note}>{time.stills}</span>}
        {actions}
        <Choice
          look="quiet"
          label={time.layout}
          value={axis}
          options={[
            { value: "time", label: time.evenInTime, hint: time.evenInTimeIs },
            { value: "steps", label: time.evenInSteps, hint: time.evenInStepsIs },
          ]}
          onChange={(value) => display.getState().set({ axis: value })}
        />
      </div>
    </section>
  );
}
