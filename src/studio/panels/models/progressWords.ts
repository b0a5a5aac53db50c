import { formatBytes } from "../../../delivery/bytes";
import type { Wait } from "../../../delivery/store/request";
import { type Download, secondsLeft } from "../../session/models/download";

/** What a download holds up, and what is done about it. */
export function waitSentence({ reason, seconds, failures }: Wait): string {
  const soon = seconds < 1 ? "at once" : `in ${Math.ceil(seconds)} s`;
  return `${reason} Trying again ${soon}${failures > 1 ? ` (try ${failures + 1})` : ""}`;
}

/** How far a download is, how fast, and how long it will take. */
export function downloadDetail(download: Download): string {
  const { loadedBytes, totalBytes, bytesPerSecond } = download;
  const left = secondsLeft(download);
  return [
    `${formatBytes(loadedBytes)} of ${formatBytes(totalBytes)}`,
    ...(bytesPerSecond === null ? [] : [`${formatBytes(bytesPerSecond)}/s`]),
    ...(left === null ? [] : [`${Math.ceil(left)} s left`]),
  ].join(" · ");
}
