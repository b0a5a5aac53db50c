/** A page without a studio, whose scripts call one engine in its worker. */
import { createEngine } from "../../../src/worker/client";
import type { EngineClient } from "../../../src/worker/protocol";

declare global {
  interface Window {
    engine: EngineClient;
  }
}

window.engine = createEngine();
