import { useStore } from "zustand";
import { generate } from "../../actions/writing";
import { downloadBytes } from "../../session/models/model";
import { useStudio, useWords } from "../StudioContext";
import { Shortcuts } from "../ui/Shortcuts";
import styles from "./EmptyStage.module.css";

/** There is no run to show: says so, and what to do. */
export function EmptyStage() {
  const studio = useStudio();
  const words = useWords();
  const { manifest, status, choice } = useStore(studio.model, (state) => state);
  const phase = useStore(studio.generation, ({ phase }) => phase);
  const size = manifest && status !== "ready" ? words.bytes(downloadBytes(manifest, choice.dtype)) : null;
  return (
    <div className={styles.stageEmpty} data-testid="stage-empty">
      <p className={styles.stageEmptyTitle}>{words.stage.empty}</p>
      {phase === "idle" ? (
        <p key="idle">
          <span>{words.stage.press}</span> <em>{words.generate.go.idle}</em>{" "}
          <Shortcuts shortcuts={generate.shortcuts.slice(0, 1)} /> <span>{words.stage.pressed(size)}</span>
        </p>
      ) : (
        <p key="busy">{words.stage.coming}</p>
      )}
    </div>
  );
}
