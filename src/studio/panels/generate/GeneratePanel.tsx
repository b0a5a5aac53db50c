import { useStore } from "zustand";
import { Button } from "../../../player/ui/Button";
import { cancel, generate } from "../../actions/writing";
import { downloadBytes } from "../../session/models/model";
import { whyNotReady } from "../../session/writing/readiness";
import { ProblemAlert } from "../alerts/ProblemAlert";
import { useStudio, useStudioValue, useWords } from "../StudioContext";
import { Shortcuts } from "../ui/Shortcuts";
import { useAction } from "../ui/useAction";
import styles from "./GeneratePanel.module.css";
import { LinkedRun } from "./LinkedRun";
import { LoadProgressBar } from "./LoadProgressBar";
import { RunProgressBar } from "./RunProgressBar";

/** Generate and Cancel, with all that happens between the two. */
export function GeneratePanel() {
  const studio = useStudio();
  const words = useWords().generate;
  const phase = useStore(studio.generation, ({ phase }) => phase);
  const cancelling = useStore(studio.generation, ({ cancelling }) => cancelling);
  const why = useStudioValue(whyNotReady);
  const go = useAction(generate);
  const end = useAction(cancel);
  const busy = phase !== "idle";
  return (
    <section className={styles.generate} aria-label={words.label} data-busy={busy || undefined}>
      <LinkedRun />
      <div className={styles.generateButtons}>
        <Button
          {...go}
          className={styles.generateGo}
          data-testid="generate"
          aria-describedby={why === null ? undefined : "generate-why"}
        >
          <span>{words.go[phase]}</span>
          {!busy && <Shortcuts shortcuts={generate.shortcuts} />}
        </Button>
        {busy && (
          <Button {...end} className={styles.generateCancel} data-testid="cancel">
            {cancelling ? words.stopping : words.cancel}
          </Button>
        )}
      </div>
      {why !== null && (
        <p className={`${styles.generateNote} ${styles.generateNoteWhy}`} id="generate-why">
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
  const studio = useStudio();
  const words = useWords();
  const { status, manifest, choice } = useStore(studio.model, (state) => state);
  if (status === "ready" || !manifest) return null;
  return (
    <p className={styles.generateNote}>
      {words.generate.loadsOnce(words.bytes(downloadBytes(manifest, choice.dtype)))}
    </p>
  );
}
