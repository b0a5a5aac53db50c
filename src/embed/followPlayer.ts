import type { Player } from "../player/createPlayer";
import { stepsOf } from "../player/run/run";
import { nearestStep } from "../player/transport/layout";
import type { ElfEvents } from "./events";
import { join, lead, type Member, share, timeOf } from "./groups";

/** Between the end of a run and its next beginning, where it plays again and again. */
const REST = 1500;

interface Following {
  /** Elements of one name share their time; empty for one that keeps its own. */
  readonly group: string;
  readonly isLooping: () => boolean;
  /** Whether anybody can see it: nothing plays on elsewhere. */
  readonly isSeen: () => boolean;
  readonly onFrame: (shown: ElfEvents["elf-frame"]) => void;
}

/** Tells of a player's frames, shares its time with its group, and begins again where it is to. Returns what ends all that. */
export function followPlayer(player: Player, { group, isLooping, isSeen, onFrame }: Following): () => void {
  const { playback } = player;
  let isFollowing = false;
  const member: Member = {
    follow: (t) => {
      const times = player.run.getState()?.trajectory.times;
      if (!times) return;
      isFollowing = true;
      playback.getState().seek(nearestStep(times, t, playback.getState().last + 1));
      isFollowing = false;
    },
    rest: () => playback.getState().playing && playback.getState().toggle(),
    isMoving: () => playback.getState().following || (playback.getState().playing && isSeen()),
  };
  /** A run that comes shows the time that the others show; one that is written goes on by itself, and they with it. */
  const arrive = () => {
    const { playing, live } = playback.getState();
    const t = timeOf(group);
    if (live) lead(group, member);
    else if (t !== undefined && !playing) member.follow(t);
  };
  const leaveGroup = group === "" ? () => {} : join(group, member);
  let rest: ReturnType<typeof setTimeout> | undefined;
  const beginAgain = () => {
    clearTimeout(rest);
    if (playback.getState().over && isLooping()) rest = setTimeout(() => playback.getState().play(), REST);
  };
  let told = "";
  let shown = player.run.getState()?.id;
  const stop = playback.subscribe((now, before) => {
    if (now.over !== before.over) beginAgain();
    const run = player.run.getState();
    const isNew = run?.id !== shown;
    shown = run?.id;
    if (isNew) arrive();
    // Where it has been led, that has been told of.
    if (playback.getState() !== now) return;
    const t = run?.trajectory.times[now.index];
    const frame = `${run?.id} ${now.index}`;
    if (run && t !== undefined && frame !== told) {
      told = frame;
      onFrame({ step: now.index, steps: stepsOf(run), t });
      if (group !== "" && !isFollowing && (now.live || !isNew)) share(group, member, t);
    }
    if (now.playing && !before.playing && group !== "" && !isFollowing) lead(group, member);
  });
  arrive();
  beginAgain();
  return () => {
    stop();
    clearTimeout(rest);
    leaveGroup();
  };
}
