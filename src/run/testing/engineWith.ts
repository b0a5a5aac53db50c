import type { Model } from "../../runtime/load";
import { Engine } from "../engine";

/** An engine that remembers nothing yet, around a model that stays. */
export async function engineWith(model: Model): Promise<Engine> {
  const engine = new Engine(async () => model);
  await engine.load({ baseUrl: "", backend: "wasm" }, () => {});
  return engine;
}
