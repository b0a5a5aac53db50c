import { generate } from "../actions/generate";
import { formatBytes } from "../run/describe";
import { useStudioStore } from "../StudioContext";
import { downloadBytes } from "../stores/model";
import { Shortcuts } from "../ui/Shortcuts";

/** There is no run to show: says so, and what to do. */
export function EmptyStage() {
  const manifest = useStudioStore("model", ({ manifest }) => manifest);
  const phase = useStudioStore("generation", ({ phase }) => phase);
  return (
    <div className="stage-empty" data-testid="stage-empty">
      <p className="stage-empty-title">Nothing has been written yet.</p>
      {phase === "idle" ? (
        <p>
          No recorded run comes with this model. Press <em>Generate</em> <Shortcuts shortcuts={generate.shortcuts} />{" "}
          and it writes one here
          {manifest ? `, once its ${formatBytes(downloadBytes(manifest))} are loaded` : ""}.
        </p>
      ) : (
        <p>The first words come as soon as the model is ready.</p>
      )}
    </div>
  );
}
