import { type RefObject, useLayoutEffect, useRef } from "react";
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
  const why = useStudioValue(whyNotReady);
  const go = useAction(generate);
  const goButton = useRef<HTMLButtonElement>(null);
  const busy = phase !== "idle";
  return (
    <section className={styles.generate} aria-label={words.label} data-busy={busy || undefined}>
      <LinkedRun />
      <div className={styles.generateButtons}>
        <Button
          {...go}
          ref={goButton}
          className={styles.generateGo}
          data-testid="generate"
          aria-describedby={why === null ? undefined : "generate-why"}
        >
          <span>{words.go[phase]}</span>
          {!busy && <Shortcuts shortcuts={generate.shortcuts} />}
        </Button>
        {busy && <CancelButton after={goButton} />}
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

/**
 * It goes when the run ends. A keyboard that is there then goes on at `after`, not at the beginning of the page; whoever has
 * clicked on it plays the run by space, and does not write anew.
 */
function CancelButton({ after }: { after: RefObject<HTMLButtonElement | null> }) {
  const studio = useStudio();
  const words = useWords().generate;
  const cancelling = useStore(studio.generation, ({ cancelling }) => cancelling);
  const end = useAction(cancel);
  const own = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => {
    const button = own.current;
    return () => {
      if (button?.matches(":focus-visible")) after.current?.focus();
    };
  }, [after]);
  return (
    <Button {...end} ref={own} className={styles.generateCancel} data-testid="cancel">
      {cancelling ? words.stopping : words.cancel}
    </Button>
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
