import { formatBytes } from "../../model/bytes";
import { ariaShortcuts } from "../actions/action";
import { cancel } from "../actions/cancel";
import { generate } from "../actions/generate";
import { ProblemAlert } from "../alerts/ProblemAlert";
import { useStudio, useStudioStore } from "../StudioContext";
import { downloadBytes } from "../stores/model";
import { Shortcuts } from "../ui/Shortcuts";
import "./GeneratePanel.css";
import { LoadProgressBar } from "./LoadProgressBar";
import { RunProgressBar } from "./RunProgressBar";

/** What the great button does; while a run is under way it ends that run. */
const GO = { idle: "Generate", loading: "Loading…", running: "Write anew" } as const;

/** Generate and Cancel, with all that happens between the two. */
export function GeneratePanel() {
  const studio = useStudio();
  const phase = useStudioStore("generation", ({ phase }) => phase);
  const cancelling = useStudioStore("generation", ({ cancelling }) => cancelling);
  const refused = useStudioStore("settings", ({ refusals }) => Object.keys(refusals).length > 0);
  const busy = phase !== "idle";
  return (
    <section className="generate" aria-label="Generate">
      <div className="generate-buttons">
        <button
          type="button"
          className="generate-go"
          data-testid="generate"
          aria-keyshortcuts={ariaShortcuts(generate.shortcuts)}
          aria-disabled={phase === "loading" || refused}
          onClick={() => generate.enabled(studio) && generate.run(studio)}
        >
          {GO[phase]}
          {!busy && <Shortcuts shortcuts={generate.shortcuts} />}
        </button>
        {busy && (
          <button
            type="button"
            className="generate-cancel"
            data-testid="cancel"
            aria-keyshortcuts={ariaShortcuts(cancel.shortcuts)}
            aria-disabled={cancelling}
            onClick={() => cancel.enabled(studio) && cancel.run(studio)}
          >
            {cancelling ? "Stopping…" : "Cancel"}
          </button>
        )}
      </div>
      {refused && <p className="generate-note generate-note--bad">A number below cannot be used yet.</p>}
      {phase === "loading" && <LoadProgressBar />}
      {phase === "running" && <RunProgressBar />}
      {!busy && !refused && <DownloadNote />}
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
      Loads {formatBytes(downloadBytes(manifest, choice.dtype))} once, then writes on this device.
    </p>
  );
}
