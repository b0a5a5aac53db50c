import type { ShelfDownload } from "../../session/models/library";
import { ProgressBar } from "../ui/ProgressBar";
import { downloadDetail, waitSentence } from "./progressWords";

/** A download into the store. */
export function DownloadBar({ download: { progress, wait, note } }: { download: ShelfDownload }) {
  return (
    <ProgressBar
      label="Downloading the model"
      phase={wait ? waitSentence(wait) : progress ? "Downloading" : "Asking for the model"}
      detail={progress ? downloadDetail(progress) : ""}
      note={note}
      share={progress ? progress.loadedBytes / Math.max(1, progress.totalBytes) : null}
    />
  );
}
