import type { Wait } from "../../../delivery/store/request";
import { type Download, secondsLeft } from "../../session/models/download";
import type { Words } from "../../words/english";

/** What a download holds up, and what is done about it. */
export function waitSentence({ reason, seconds, failures }: Wait, words: Words["models"]): string {
  return `${reason} ${words.tryingAgain(seconds, failures + 1)}`;
}

/** How far a download is, how fast, and how long it will take. */
export function downloadDetail(download: Download, { models, bytes }: Words): string {
  const { loadedBytes, totalBytes, bytesPerSecond } = download;
  const left = secondsLeft(download);
  return [
    models.bytesOf(bytes(loadedBytes), bytes(totalBytes)),
    ...(bytesPerSecond === null ? [] : [models.perSecond(bytes(bytesPerSecond))]),
    ...(left === null ? [] : [models.secondsLeft(Math.ceil(left))]),
  ].join(" · ");
}
