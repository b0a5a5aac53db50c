import type { ShelfDownload } from "../../session/models/library";
import { useWords } from "../StudioContext";
import { ProgressBar } from "../ui/ProgressBar";
import { downloadDetail, waitSentence } from "./progressWords";

/** A download into the store. */
export function DownloadBar({ download: { progress, wait, note } }: { download: ShelfDownload }) {
  const words = useWords();
  const { models } = words;
  return (
    <ProgressBar
      label={models.downloadingModel}
      phase={wait ? waitSentence(wait, models) : progress ? models.downloading : words.generate.asking}
      detail={progress ? downloadDetail(progress, words) : ""}
      note={note}
      share={progress ? progress.loadedBytes / Math.max(1, progress.totalBytes) : null}
    />
  );
}
