/** What the package offers wherever it runs; `index.ts` and `node.ts` add how models are had there. */
export { CancelledError, ConditionError, ElfError, SettingsError } from "../flow/errors";
export type { HeldToken } from "../flow/held";
export type { Encoder, Network, Reading, Source } from "../flow/network";
export { type Key, keyOf, normal, randomBits, split } from "../flow/random";
export { type Branch, type Prompt, type Recipe, recipeOf, rootOf } from "../flow/recipe";
export type { Reversal, ReverseSettings } from "../flow/reverse";
export type { FlowState } from "../flow/sampler";
export { type LogitNormal, scheduleTimes } from "../flow/schedule";
export { type Method, type SamplerSettings, type Schedule, SETTING_LIMITS, type SolverName } from "../flow/settings";
export type { Towards } from "../flow/towards";
export type { Frame, Trajectory } from "../flow/trajectory";
export { linkTo, recipeIn } from "../format/link";
export type { Dtype, Manifest } from "../format/manifest";
export { type RecordedRun, readTrace, TraceError } from "../format/trace";
export type { LoadProgress } from "../runtime/load";
export type { Backend } from "../runtime/runtime";
export { type FinishedRun, fork, type GenerateOptions, Generation, generate, type TextFrame } from "./generate";
export { ElfModel } from "./model";
