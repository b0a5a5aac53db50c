import { useEffect, useState } from "react";
import { useSelectedRun, useStudioStore } from "../StudioContext";
import { announcementOf } from "./announcement";

/** Rest, in milliseconds, before the text is said: someone who steps through time is not interrupted at each step. */
const REST = 800;

/** Says the text at pauses and at the end, never at every frame. */
export function Announcer() {
  const run = useSelectedRun();
  const { index, playing } = useStudioStore("playback", (state) => state);
  const reading = useStudioStore("preferences", ({ reading }) => reading);
  const phase = useStudioStore("generation", ({ phase }) => phase);
  const [said, setSaid] = useState("");
  const announcement = playing ? null : announcementOf(run, index, reading, phase);

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
