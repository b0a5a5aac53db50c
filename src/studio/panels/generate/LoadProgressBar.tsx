import { useStore } from "zustand";
import type { Progress } from "../../session/models/model";
import { downloadDetail, waitSentence } from "../models/progressWords";
import { useStudio } from "../StudioContext";
import { ProgressBar } from "../ui/ProgressBar";

export function LoadProgressBar() {
  const studio = useStudio();
  const progress = useStore(studio.model, ({ progress }) => progress);
  const download = progress?.phase === "download" ? progress.download : null;
  const coming = download !== null && download.loadedBytes < download.totalBytes;
  return (
    <ProgressBar
      label="Loading the model"
      phase={phaseName(progress, coming)}
      detail={coming ? downloadDetail(download) : ""}
      note={progress?.note}
      share={coming ? download.loadedBytes / download.totalBytes : null}
    />
  );
}

function phaseName(progress: Progress | null, coming: boolean): string {
  switch (progress?.phase) {
    case "download":
      if (progress.wait) return waitSentence(progress.wait);
      // All bytes are here; the tokenizer and the runtime still have to start.
      return coming ? "Loading the model" : "Loaded, getting ready";
    case "weights":
      return "Unpacking the weights";
    case "session":
      return `Preparing the ${progress.graph ?? "network"}`;
    case "check":
      return `Checking the ${progress.graph ?? "network"} on this device`;
    default:
      return "Asking for the model";
  }
}
