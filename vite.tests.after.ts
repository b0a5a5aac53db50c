// Whatever a test file leaves to the next one of its process: timers that stand still would hang all that come after.
import { afterAll, vi } from "vitest";

afterAll(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.unstubAllEnvs();
});
