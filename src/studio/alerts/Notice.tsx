import { useEffect } from "react";
import { useStudio, useStudioStore } from "../StudioContext";
import "./Notice.css";

/** Seconds that a notice stands. */
const STANDS = 6;

/** Says what an action has done that cannot be seen otherwise. */
export function Notice() {
  const { view } = useStudio();
  const said = useStudioStore("view", ({ said }) => said);
  useEffect(() => {
    if (said === "") return;
    const timer = setTimeout(() => view.getState().say(""), 1000 * STANDS);
    return () => clearTimeout(timer);
  }, [said, view]);
  return (
    <p className="notice" role="status" data-testid="notice" data-empty={said === ""}>
      {said}
    </p>
  );
}
