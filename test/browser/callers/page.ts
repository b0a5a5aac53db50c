/** A page without a studio, whose scripts call one engine in its worker. */
import { createEngine } from "../../../src/engine/client";
import type { EngineClient } from "../../../src/engine/protocol";

declare global {
  interface Window {
    engine: EngineClient;
  }
}

window.engine = createEngine();
