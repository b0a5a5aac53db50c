import type { StoreApi } from "zustand/vanilla";
import type { RunsStore } from "../runs/runs";
import type { RunArchive } from "./archive";
import type { Folding } from "./folding";

/** Where the tabs of a browser that show this page hear each other; a `BroadcastChannel` is one. Nobody hears himself. */
export interface TabChannel {
  postMessage(news: ShelfNews): void;
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
}

/** What has become of a kept run. */
type ShelfNews = { readonly kept: string } | { readonly gone: string };

/** The same archive, of which the other tabs hear. */
export function toldOf(archive: RunArchive, channel: TabChannel | null): RunArchive {
  if (!channel) return archive;
  return {
    get: (id) => archive.get(id),
    all: () => archive.all(),
    save: async (run) => {
      const gone = await archive.save(run);
      if (gone) channel.postMessage({ kept: run.id });
      for (const id of gone ?? []) channel.postMessage({ gone: id });
      return gone;
    },
    remove: async (id) => {
      await archive.remove(id);
      channel.postMessage({ gone: id });
    },
  };
}

/**
 * Has the shelf follow those of the other tabs: a run that one of them keeps comes here too, grows as it is written there, and
 * goes when it is deleted there. The run on this tab's stage stays: nobody's text goes away under their eyes. What the archive has is
 * told before the run comes.
 */
export function followTabs(
  runs: StoreApi<RunsStore>,
  archive: RunArchive,
  channel: TabChannel | null,
  { kept: onKept, gone: onGone }: Pick<Folding, "kept" | "gone">,
): void {
  const isWrittenHere = (id: string) => runs.getState().runs.some((run) => run.id === id && run.status === "running");
  channel?.addEventListener("message", async ({ data }) => {
    const { kept, gone } = (data ?? {}) as { readonly kept?: unknown; readonly gone?: unknown };
    if (typeof gone === "string") {
      onGone(gone);
      if (gone !== runs.getState().selectedId && !isWrittenHere(gone)) runs.getState().discard(gone);
    }
    if (typeof kept !== "string" || isWrittenHere(kept)) return;
    const run = await archive.get(kept);
    // By then this tab may have begun to write it again.
    if (!run || isWrittenHere(kept)) return;
    onKept(run.id);
    runs.getState().add(run);
  });
}
