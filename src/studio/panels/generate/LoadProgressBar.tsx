import { useStore } from "zustand";
import type { Progress } from "../../session/models/model";
import type { Words } from "../../words/english";
import { downloadDetail, waitSentence } from "../models/progressWords";
import { useStudio, useWords } from "../StudioContext";
import { ProgressBar } from "../ui/ProgressBar";

export function LoadProgressBar() {
  const studio = useStudio();
  const words = useWords();
  const progress = useStore(studio.model, ({ progress }) => progress);
  const download = progress?.phase === "download" ? progress.download : null;
  const coming = download !== null && download.loadedBytes < download.totalBytes;
  return (
    <ProgressBar
      label={words.generate.loadingModel}
      phase={phaseName(progress, coming, words)}
      detail={coming ? downloadDetail(download, words) : ""}
      note={progress?.note}
      share={coming ? download.loadedBytes / download.totalBytes : null}
    />
  );
}

function phaseName(progress: Progress | null, coming: boolean, { generate, models }: Words): string {
  switch (progress?.phase) {
    case "download":
      if (progress.wait) return waitSentence(progress.wait, models);
      // All bytes are here; the tokenizer and the runtime still have to start.
      return coming ? generate.loadingModel : generate.ready;
    case "weights":
      return generate.unpacking;
    case "session":
      return generate.preparing(progress.graph);
    case "check":
      return generate.checking(progress.graph);
    default:
      return generate.asking;
  }
}
