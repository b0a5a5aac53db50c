import { expect, it } from "vitest";
import { backendInWords, type RunsOn } from "./backendInWords";

it.each<[RunsOn, string]>([
  [{ backend: "webgpu", variant: "fused", threads: 1 }, "WebGPU · fused attention"],
  [{ backend: "webgpu", variant: "plain", threads: 1 }, "WebGPU · plain attention"],
  [{ backend: "webgpu", variant: "packed", threads: 1 }, "WebGPU · packed weights"],
  [{ backend: "wasm", variant: "plain", threads: 1 }, "WASM · 1 thread"],
  [{ backend: "wasm", variant: "plain", threads: 2 }, "WASM · 2 threads"],
])("says what a model runs on: %j", (on, words) => {
  expect(backendInWords(on)).toBe(words);
});
