const PICTURES = [".svg", ".png", ".gif", ".mp4", ".webm"];
/** How the names of files end that may be runs, or pictures of them. */
export const RUN_FILES: readonly string[] = [".json", ...PICTURES];

/** Whether a file of this name may be a run or a picture of one, and so no part of a model. */
export function mayBeRun(path: string): boolean {
  const isPicture = PICTURES.some((end) => path.toLowerCase().endsWith(end));
  return isPicture || (/^[^/]*\.json$/i.test(path) && !/^(?:manifest|tokenizer)/i.test(path));
}
