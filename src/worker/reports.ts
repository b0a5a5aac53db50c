import { type Remote, releaseProxy } from "comlink";

/**
 * Runs a task that reports to a callback on the page. Answers only when every report has arrived there, because reports
 * and answers travel on different ports; then lets the callback go, since a proxy left to the garbage collector can hang.
 */
export async function delivering<Report, T>(
  callback: Remote<(report: Report) => void>,
  task: (report: (report: Report) => void) => Promise<T>,
): Promise<T> {
  const send = callback as unknown as ((report: Report) => Promise<void>) & { [releaseProxy](): void };
  const deliveries: Promise<void>[] = [];
  try {
    return await task((report) => void deliveries.push(send(report)));
  } finally {
    await Promise.allSettled(deliveries);
    send[releaseProxy]();
  }
}
