import { useEffect } from "react";
import { useStore } from "zustand";
import { judgeBeside } from "../../../delivery/shipped";
import { Button } from "../../../player/ui/Button";
import { useStudio, useWords } from "../StudioContext";
import styles from "./Judge.module.css";
import { JudgeProgress } from "./JudgeProgress";

/** What the judge beside a model is, and how it can be had; of one that is here, that it reads. */
export function JudgeOffer({ model }: { model: string }) {
  const beside = judgeBeside(model);
  const judging = useStudio().judges[beside];
  const { judge, bytes: sizeOf } = useWords();
  const { status, manifest, bytes, problem } = useStore(judging);
  useEffect(() => void judging.getState().look(), [judging]);
  return (
    <div className={styles.judge}>
      <p>
        {judge[beside === "translate-yardstick" ? "aboutTranslator" : "about"](
          manifest?.architecture.parameters ?? null,
        )}
      </p>
      {status === "away" && (
        <Button onClick={() => void judging.getState().fetch()}>
          {judge.fetch(bytes === null ? "" : sizeOf(bytes))}
        </Button>
      )}
      <JudgeProgress judging={judging} />
      {status === "here" && <p>{judge.reads}</p>}
      {/* What went wrong is said in English, as every problem is. */}
      {problem && <p role="alert" lang="en">{`${problem.message} ${problem.action ?? ""}`}</p>}
    </div>
  );
}
