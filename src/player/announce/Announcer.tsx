import { useEffect, useState } from "react";
import { useStore } from "zustand";
import { usePlayer } from "../PlayerContext";
import { announcementOf } from "./announcement";

/** Rest, in milliseconds, before the text is said: someone who steps through time is not interrupted at each step. */
const REST = 800;

/** Says the text at pauses and at the end, never at every frame; or what an app has to say instead. */
export function Announcer({ instead = "" }: { instead?: string }) {
  const { run: runStore, playback, display, words } = usePlayer();
  const run = useStore(runStore);
  const { index, playing } = useStore(playback);
  const reading = useStore(display, ({ reading }) => reading);
  const [said, setSaid] = useState("");
  const announcement = playing ? null : announcementOf(run, index, reading, instead, words);

  useEffect(() => {
    if (announcement === null) return;
    const timer = setTimeout(() => setSaid(announcement), REST);
    return () => clearTimeout(timer);
  }, [announcement]);

  return (
    <p className="visually-hidden" role="status" aria-live="polite" data-testid="announcer">
      {said}
    </p>
  );
}
