import { generate } from "../actions/generate";
import { addressWithWasm } from "../address";
import { useStudio, useStudioStore } from "../StudioContext";
import { Icon } from "../ui/Icon";
import "./ProblemAlert.css";

/** Faults that pressing Generate again cannot mend. */
const NO_RETRY = new Set(["address", "settings", "trace"]);

/** What went wrong, what can be done, and a way to do it. */
export function ProblemAlert() {
  const studio = useStudio();
  const problem = useStudioStore("generation", ({ problem }) => problem);
  if (!problem) return null;
  return (
    <div className="problem" role="alert" data-code={problem.code}>
      <Icon name="warning" />
      <div>
        <p className="problem-message">{problem.message}</p>
        <p>{problem.action}</p>
        <div className="problem-buttons">
          {!NO_RETRY.has(problem.code) && (
            <button type="button" onClick={() => generate.enabled(studio) && generate.run(studio)}>
              Try again
            </button>
          )}
          {problem.code === "no-web-gpu" && <a href={addressWithWasm(location.search)}>Use WASM</a>}
          <button type="button" onClick={() => studio.generation.getState().dismiss()}>
            Dismiss
          </button>
        </div>
      </div>
    </div>
  );
}
