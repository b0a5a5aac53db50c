import { useEffect } from "react";
import { joinText } from "../run/pieces";
import { readingAt } from "../run/run";
import { useSelectedRun, useStudio, useStudioStore } from "../StudioContext";
import { Choice } from "../ui/Choice";
import { EmptyStage } from "./EmptyStage";
import { longestFrame } from "./longestFrame";
import { Progress } from "./Progress";
import "./Stage.css";
import { TokenCard } from "./TokenCard";
import { TokenFlow } from "./TokenFlow";

const READINGS = [
  { value: "holds", label: "What it holds" },
  { value: "expects", label: "What it expects" },
] as const;

const EXPLANATIONS = {
  holds: (
    <>
      The state <i>z</i> at this <i>t</i>, read as words
    </>
  ),
  expects: (
    <>
      Its guess <i>x̂</i> at the finished text, read as words
    </>
  ),
};

/** The text at the time on the transport: the middle of the page. */
export function Stage() {
  const { preferences, view } = useStudio();
  const run = useSelectedRun();
  const reading = useStudioStore("preferences", ({ reading }) => reading);
  const index = useStudioStore("playback", ({ index }) => index);
  const recording = useStudioStore("view", ({ recording }) => recording);
  const shown = run && readingAt(run, index, reading);
  const runId = run?.id;

  // Another run: the token looked at is another one, too.
  // biome-ignore lint/correctness/useExhaustiveDependencies: the run is the reason, not an input.
  useEffect(() => view.getState().pin(null), [runId, view]);

  return (
    <div className="stage">
      <div className="stage-bar">
        <Choice
          label="Which reading of the state"
          value={reading}
          options={READINGS}
          onChange={(value) => preferences.getState().set({ reading: value })}
        />
        {run && <p className="stage-hint">{EXPLANATIONS[reading]}</p>}
        {run && <Progress run={run} index={index} reading={reading} />}
      </div>
      <div className="stage-room" data-size={sizeFor(run?.trajectory.settings.length ?? 0)}>
        {run && shown ? (
          <div className="stage-sheet">
            {/* Holds the height that the run's longest frame needs, so that nothing below ever moves. */}
            <p className="stage-sizer" aria-hidden="true">
              {joinText(longestFrame(run), run.pieces, null)}
            </p>
            <TokenFlow run={run} index={index} reading={reading} />
            <TokenCard run={run} index={index} reading={reading} />
          </div>
        ) : (
          recording !== "coming" && <EmptyStage />
        )}
      </div>
    </div>
  );
}

function sizeFor(length: number): "large" | "medium" {
  return length <= 96 ? "large" : "medium";
}
