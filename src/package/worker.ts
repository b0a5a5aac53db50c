/**
 * `elf-playground/worker`: an engine in a worker of its own, so that the page stays quick while it computes. It takes what is
 * asked of it in turn; each request is ended by its own signal.
 * @packageDocumentation
 */
export type { EngineApi, LoadedModel, LoadRequest, RunEvent, RunRequest, RunResult } from "../run/api";
export { createEngine } from "../worker/client";
export type { EngineClient } from "../worker/protocol";
