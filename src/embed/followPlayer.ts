import type { Player } from "../player/createPlayer";
import { stepsOf } from "../player/run/run";
import { nearestStep } from "../player/transport/layout";
import type { ElfEvents } from "./events";
import { join, lead, type Member, share } from "./groups";

/** Between the end of a run and its next beginning, where it plays again and again. */
const REST = 1500;

interface Following {
  /** Elements of one name share their time; empty for one that keeps its own. */
  readonly group: string;
  readonly isLooping: () => boolean;
  readonly onFrame: (shown: ElfEvents["elf-frame"]) => void;
}

/** Tells of a player's frames, shares its time with its group, and begins again where it is to. Returns what ends all that. */
export function followPlayer(player: Player, { group, isLooping, onFrame }: Following): () => void {
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
  };
  const leaveGroup = group === "" ? () => {} : join(group, member);
  let rest: ReturnType<typeof setTimeout> | undefined;
  let told = "";
  const stop = playback.subscribe((now, before) => {
    const run = player.run.getState();
    const t = run?.trajectory.times[now.index];
    const frame = `${run?.id} ${now.index}`;
    if (run && t !== undefined && frame !== told) {
      told = frame;
      onFrame({ step: now.index, steps: stepsOf(run), t });
      if (group !== "" && !isFollowing) share(group, member, t);
    }
    clearTimeout(rest);
    if (now.playing && !before.playing && group !== "" && !isFollowing) lead(group, member);
    const isOver = before.playing && !now.playing && !now.live && now.index === now.last;
    if (isOver && isLooping()) rest = setTimeout(() => playback.getState().play(), REST);
  });
  return () => {
    stop();
    clearTimeout(rest);
    leaveGroup();
  };
}
