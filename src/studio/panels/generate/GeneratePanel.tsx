import { formatBytes } from "../../../delivery/bytes";
import { ariaShortcuts, perform } from "../../actions/action";
import { cancel, generate } from "../../actions/writing";
import { downloadBytes } from "../../session/models/model";
import { ProblemAlert } from "../alerts/ProblemAlert";
import { useStudio, useStudioStore } from "../StudioContext";
import { Shortcuts } from "../ui/Shortcuts";
import "./GeneratePanel.css";
import { LinkedRun } from "./LinkedRun";
import { LoadProgressBar } from "./LoadProgressBar";
import { RunProgressBar } from "./RunProgressBar";
import { useWhyNotReady } from "./useWhyNotReady";

/** What the great button does; while a run is under way it ends that run. */
const GO = { idle: "Generate", loading: "Loading…", running: "Write anew" } as const;

/** Generate and Cancel, with all that happens between the two. */
export function GeneratePanel() {
  const studio = useStudio();
  const phase = useStudioStore("generation", ({ phase }) => phase);
  const cancelling = useStudioStore("generation", ({ cancelling }) => cancelling);
  const why = useWhyNotReady();
  const busy = phase !== "idle";
  return (
    <section className="generate" aria-label="Generate">
      <LinkedRun />
      <div className="generate-buttons">
        <button
          type="button"
          className="generate-go"
          data-testid="generate"
          aria-keyshortcuts={ariaShortcuts(generate.shortcuts)}
          aria-disabled={phase === "loading" || why !== null}
          aria-describedby={why === null ? undefined : "generate-why"}
          onClick={() => perform(generate, studio)}
        >
          <span>{GO[phase]}</span>
          {!busy && <Shortcuts shortcuts={generate.shortcuts} />}
        </button>
        {busy && (
          <button
            type="button"
            className="generate-cancel"
            data-testid="cancel"
            aria-keyshortcuts={ariaShortcuts(cancel.shortcuts)}
            aria-disabled={cancelling}
            onClick={() => perform(cancel, studio)}
          >
            {cancelling ? "Stopping…" : "Cancel"}
          </button>
        )}
      </div>
      {why !== null && (
        <p className="generate-note generate-note--why" id="generate-why">
          {why}
        </p>
      )}
      {phase === "loading" && <LoadProgressBar />}
      {phase === "running" && <RunProgressBar />}
      {!busy && why === null && <DownloadNote />}
      <ProblemAlert />
    </section>
  );
}

/** What a first press costs. */
function DownloadNote() {
  const { status, manifest, choice } = useStudioStore("model", (state) => state);
  if (status === "ready" || !manifest) return null;
  return (
    <p className="generate-note">
      {`Loads ${formatBytes(downloadBytes(manifest, choice.dtype))} once, then writes on this device.`}
    </p>
  );
}
