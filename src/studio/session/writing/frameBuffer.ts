import type { Frame } from "../../../flow/trajectory";

/**
 * Gathers frames and hands them on in batches, the first at once. A small model writes a thousand frames a second,
 * and a page that shows each of them would hear nothing else.
 */
export interface FrameBuffer {
  push(frame: Frame): void;
  /** Hands on what is left; to be called at the end. */
  flush(): void;
}

export function createFrameBuffer(deliver: (frames: readonly Frame[]) => void, milliseconds = 40): FrameBuffer {
  let waiting: Frame[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    if (waiting.length === 0) return;
    const batch = waiting;
    waiting = [];
    deliver(batch);
  };
  return {
    push: (frame) => {
      waiting.push(frame);
      if (timer !== undefined) return;
      flush();
      // Not requestAnimationFrame: it stands still in a tab that nobody looks at.
      timer = setTimeout(flush, milliseconds);
    },
    flush,
  };
}
