import { type RecordedRun, readTrace } from "../../format/trace";

/**
 * Fetches the recorded run of a model, relative to the page; null where none is shipped.
 * @throws {TraceError} there is a file, and it is no recording.
 */
export async function fetchRecording(model: string, fetchFile: typeof fetch = fetch): Promise<RecordedRun | null> {
  let response: Response;
  try {
    response = await fetchFile(`traces/${model}.json`);
  } catch {
    // Offline or blocked. The page works without the recording and says that there is none.
    return null;
  }
  // Servers of single-page apps answer a missing file with their page.
  const isPage = response.headers.get("content-type")?.startsWith("text/html") ?? false;
  if (!response.ok || isPage) return null;
  return readTrace(await response.text());
}
