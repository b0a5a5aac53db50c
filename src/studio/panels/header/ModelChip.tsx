import { useStore } from "zustand";
import { backendName, kernelsInWords } from "../../../runtime/backendInWords";
import { showModels } from "../../actions/view";
import { downloadBytes, type ModelStore } from "../../session/models/model";
import { RECORDED_RUN_ID } from "../../session/runs/shelfRun";
import type { Words } from "../../words/english";
import { useStudio, useWords } from "../StudioContext";
import { useAction } from "../ui/useAction";
import styles from "./ModelChip.module.css";

/** Which model this is and where it stands; opens the shelf of models. */
export function ModelChip() {
  const studio = useStudio();
  const words = useWords();
  const model = useStore(studio.model, (state) => state);
  // Another model than the recorded one may have been chosen.
  const recordedTitle = useStore(studio.runs, ({ runs }) => {
    const recorded = runs.find(({ id }) => id === RECORDED_RUN_ID);
    return recorded?.trajectory.model === model.name ? recorded.modelTitle : undefined;
  });
  const title = model.manifest?.title ?? recordedTitle ?? model.name;
  return (
    <button
      {...useAction(showModels)}
      className={styles.modelChip}
      data-status={model.status}
      data-testid="model-chip"
      aria-haspopup="dialog"
      title={model.loaded?.backendReason}
    >
      <i className={styles.modelDot} aria-hidden="true" />
      <span className={styles.modelTitle}>{title}</span>
      <span className={styles.modelState}>
        <span>{shortState(model, recordedTitle !== undefined, words.header)}</span>
        {model.loaded && model.manifest && (
          <span className={styles.modelSize}>
            {[
              kernelsInWords(model.loaded),
              words.models.precision[model.loaded.dtype],
              words.bytes(downloadBytes(model.manifest, model.loaded.dtype)),
            ]
              .map((detail) => ` · ${detail}`)
              .join("")}
          </span>
        )}
      </span>
    </button>
  );
}

function shortState({ status, loaded, progress }: ModelStore, recorded: boolean, words: Words["header"]): string {
  if (status === "error" || status === "lost") return words.notLoaded;
  if (status === "recorded") return recorded ? words.recorded : words.notLoaded;
  if (loaded) return backendName(loaded.backend);
  const download = progress?.phase === "download" ? progress.download : null;
  return words.loading(download ? Math.floor((100 * download.loadedBytes) / Math.max(1, download.totalBytes)) : null);
}
