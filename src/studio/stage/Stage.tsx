import { useEffect } from "react";
import { Part } from "../alerts/Part";
import { HeldStrip } from "../held/HeldStrip";
import { readingAt } from "../run/run";
import { useSelectedRun, useStudio, useStudioStore } from "../StudioContext";
import { Choice } from "../ui/Choice";
import { EmptyStage } from "./EmptyStage";
import { GivenPrompt } from "./GivenPrompt";
import { Progress } from "./Progress";
import { reservedTexts } from "./reservedTexts";
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
      The state <i>z</i> at this <i>t</i>, as words
    </>
  ),
  expects: (
    <>
      Its guess <i>x̂</i> at the final text
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
  const wanted = useStudioStore("settings", ({ values }) => values.length);
  const length = run?.trajectory.settings.length ?? wanted;
  const [longest, ordinary] = reservedTexts(run, length);
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
        {/* Another element for each: a browser that translates has put the text of one into elements of its own. */}
        <p className="stage-hint" key={reading}>
          {EXPLANATIONS[reading]}
        </p>
        {run && <Progress run={run} index={index} reading={reading} />}
      </div>
      <HeldStrip />
      <div className="stage-room" data-size={sizeFor(length)}>
        {run && shown && <GivenPrompt run={run} />}
        {shown || recording === "coming" ? (
          <div className="stage-sheet">
            <p className="stage-sizer" aria-hidden="true" translate="no">
              {longest}
            </p>
            <p className="stage-sizer" aria-hidden="true" translate="no">
              {ordinary}
            </p>
            {run && shown && <TokenFlow run={run} index={index} reading={reading} />}
            {run && (
              <Part name="What else could stand there" of={run.trajectory.frames[index]}>
                <TokenCard run={run} index={index} reading={reading} />
              </Part>
            )}
          </div>
        ) : (
          <EmptyStage />
        )}
      </div>
    </div>
  );
}

function sizeFor(length: number): "large" | "medium" {
  return length <= 96 ? "large" : "medium";
}
