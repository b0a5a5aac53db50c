import { formatBytes } from "../run/describe";
import { useStudioStore } from "../StudioContext";
import { type Download, secondsLeft } from "../stores/download";
import type { Progress } from "../stores/model";
import { ProgressBar } from "../ui/ProgressBar";

export function LoadProgressBar() {
  const progress = useStudioStore("model", ({ progress }) => progress);
  const download = progress?.phase === "download" ? progress.download : null;
  const coming = download !== null && download.loadedBytes < download.totalBytes;
  return (
    <ProgressBar
      label="Loading the model"
      phase={phaseName(progress, coming)}
      detail={coming ? downloadDetail(download) : ""}
      share={coming ? download.loadedBytes / download.totalBytes : null}
    />
  );
}

function phaseName(progress: Progress | null, coming: boolean): string {
  switch (progress?.phase) {
    case "download":
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

function downloadDetail(download: Download): string {
  const { loadedBytes, totalBytes, bytesPerSecond } = download;
  const left = secondsLeft(download);
  return [
    `${formatBytes(loadedBytes)} of ${formatBytes(totalBytes)}`,
    ...(bytesPerSecond === null ? [] : [`${formatBytes(bytesPerSecond)}/s`]),
    ...(left === null ? [] : [`${Math.ceil(left)} s left`]),
  ].join(" · ");
}
