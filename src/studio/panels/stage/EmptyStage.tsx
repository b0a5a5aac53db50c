import { useStore } from "zustand";
import { formatBytes } from "../../../delivery/bytes";
import { generate } from "../../actions/writing";
import { downloadBytes } from "../../session/models/model";
import { useStudio } from "../StudioContext";
import { Shortcuts } from "../ui/Shortcuts";
import styles from "./EmptyStage.module.css";

/** There is no run to show: says so, and what to do. */
export function EmptyStage() {
  const studio = useStudio();
  const { manifest, status, choice } = useStore(studio.model, (state) => state);
  const phase = useStore(studio.generation, ({ phase }) => phase);
  const cost =
    manifest && status !== "ready" ? `, once its ${formatBytes(downloadBytes(manifest, choice.dtype))} are loaded` : "";
  return (
    <div className={styles.stageEmpty} data-testid="stage-empty">
      <p className={styles.stageEmptyTitle}>Nothing is written yet.</p>
      {phase === "idle" ? (
        <p key="idle">
          There is no recorded run of this model to show. Press <em>Generate</em>{" "}
          <Shortcuts shortcuts={generate.shortcuts.slice(0, 1)} /> <span>{`and it writes one here${cost}.`}</span>
        </p>
      ) : (
        <p key="busy">The first words come as soon as the model is ready.</p>
      )}
    </div>
  );
}
