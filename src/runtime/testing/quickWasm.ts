/**
 * What V8 is told in tests. onnxruntime is 15 MB of WebAssembly, and every page and every process compiles it anew.
 * Compiled well is worth while only for what is run so often that it pays: V8 believes in that ten times too early for a
 * test of a few seconds.
 */
export const quickWasm: readonly string[] = ["--wasm-lazy-compilation", "--wasm-tiering-budget=180000000"];
