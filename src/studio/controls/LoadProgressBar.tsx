import { formatBytes } from "../run/describe";
import { useStudioStore } from "../StudioContext";
import { type Download, secondsLeft } from "../stores/download";
import type { Progress } from "../stores/model";
import { ProgressBar } from "../ui/ProgressBar";

export function LoadProgressBar() {
  const progress = useStudioStore("model", ({ progress }) => progress);
  const download = progress?.download ?? null;
  const share =
    progress?.phase === "download" && download ? download.loadedBytes / Math.max(1, download.totalBytes) : null;
  return (
    <ProgressBar
      label="Loading the model"
      phase={phaseName(progress)}
      detail={progress?.phase === "download" && download ? downloadDetail(download) : ""}
      share={share}
    />
  );
}

function phaseName(progress: Progress | null): string {
  switch (progress?.phase) {
    case "download":
      return "Loading the model";
    case "session":
      return `Preparing the ${progress.graph ?? "network"}`;
    case "probe":
      return "Timing this device";
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
