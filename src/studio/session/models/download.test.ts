import { describe, expect, it } from "vitest";
import { beginDownload, secondsLeft, trackDownload } from "./download";

describe("download", () => {
  it("says nothing of speed before it can", () => {
    const begun = beginDownload(0, 1000, 10);
    expect(secondsLeft(begun)).toBeNull();
    expect(trackDownload(begun, 100, 1000, 10.1)).toMatchObject({ loadedBytes: 100, bytesPerSecond: null });
  });

  it("reckons speed and time left", () => {
    const half = trackDownload(beginDownload(0, 1000, 10), 500, 1000, 12);
    expect(half.bytesPerSecond).toBe(250);
    expect(secondsLeft(half)).toBe(2);
  });

  it("smooths the speed, so that the time left does not jump", () => {
    const half = trackDownload(beginDownload(0, 1000, 10), 500, 1000, 11);
    const stalled = trackDownload(half, 500, 1000, 12);
    expect(stalled.bytesPerSecond).toBeGreaterThan(0);
    expect(stalled.bytesPerSecond).toBeLessThan(500);
  });
});
