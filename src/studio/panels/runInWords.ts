import { stepsOf } from "../../player/run/run";
import { backendName } from "../../runtime/backendInWords";
import { frameCount, type Run } from "../session/runs/shelfRun";
import type { Words } from "../words/english";

/** Where a run comes from and how it ended. */
export function describeOrigin(run: Run, { runs: words }: Pick<Words, "runs">): string {
  const { origin, status, seconds, backend } = run;
  const far = [Math.max(0, frameCount(run) - 1), stepsOf(run)] as const;
  if (origin === "recorded") return words.recorded;
  if (origin === "opened") return words.opened;
  if (status === "running") return words.writing(...far);
  if (status === "done")
    return [seconds === null ? "" : words.seconds(seconds), backend ? backendName(backend) : ""]
      .filter(Boolean)
      .join(" · ");
  return status === "failed" ? words.failed(...far) : words.stopped(...far);
}
