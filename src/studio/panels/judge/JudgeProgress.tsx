import { type StoreApi, useStore } from "zustand";
import { Button } from "../../../player/ui/Button";
import type { JudgingStore } from "../../session/judging";
import { waitSentence } from "../models/progressWords";
import { useWords } from "../StudioContext";
import { ProgressBar } from "../ui/ProgressBar";

/** How far a judge has come; nothing where it is not on its way. */
export function JudgeProgress({ judging }: { judging: StoreApi<JudgingStore> }) {
  const { judge, models, bytes, generate } = useWords();
  const { status, progress } = useStore(judging);
  if (status !== "coming") return null;
  return (
    <>
      <ProgressBar
        label={judge.coming}
        phase={progress?.wait ? waitSentence(progress.wait, models) : progress ? judge.coming : generate.asking}
        detail={progress ? models.bytesOf(bytes(progress.loadedBytes), bytes(progress.totalBytes)) : ""}
        note={progress?.note}
        share={progress ? progress.loadedBytes / Math.max(1, progress.totalBytes) : null}
      />
      <Button onClick={() => void judging.getState().cancel()}>{judge.cancel}</Button>
    </>
  );
}
