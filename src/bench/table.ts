import type { AtOnceFigures, GpuFigures, LoopFigures, Passes, ShownFrames, WasmFigures } from "./measure";

/** Everything one run of the bench found. */
export interface Figures {
  readonly machine: string;
  readonly browser: string;
  readonly adapter: string;
  readonly webgpu: GpuFigures;
  readonly wasm?: WasmFigures;
  readonly shown?: ShownFrames;
  readonly passes: Passes;
}

/** The figures as Markdown. */
export function table({ machine, browser, adapter, webgpu, wasm, shown, passes }: Figures): string {
  const { shape, everyFrame, lastFrame } = webgpu;
  const bytes = (count: number) => `${Math.round(count).toLocaleString("en")} B`;
  const row = (name: string, { ours, plain }: { ours: LoopFigures; plain: LoopFigures }) => {
    const ratio = (plain.millisecondsPerStep / ours.millisecondsPerStep).toFixed(2);
    const times = `${ours.millisecondsPerStep.toFixed(1)} ms | ${plain.millisecondsPerStep.toFixed(1)} ms | ${ratio}`;
    const down = `${bytes(ours.bytesPerStep.down)} | ${bytes(plain.bytesPerStep.down)}`;
    return `| ${name} | ${times} | ${down} | ${bytes(ours.bytesPerStep.up)} | ${bytes(plain.bytesPerStep.up)} |`;
  };
  return `${machine}; ${browser}; WebGPU adapter: ${adapter}
L = ${shape.length}, D = ${shape.latentSize}, ${shape.steps} steps, median of ${shape.repeats}

| per step | our loop | plain loop | ratio | read back, ours | plain | uploaded, ours | plain |
|---|---|---|---|---|---|---|---|
${row("every frame read", everyFrame)}
${row("last frame read", lastFrame)}

${atOnceLine("WebGPU", webgpu.atOnce)}${wasm ? wasmLine(wasm) : ""}${shown ? shownLine(shown) : ""}passes, ${passes.steps} steps: decoder ${passes.decoder.lastFrame} instead of ${passes.decoder.everyFrame} where only the end is read; \
a guided run's ${passes.guided.passes} passes in ${passes.guided.runs} batches of two; a fork from the middle takes ${passes.forkFromMiddle}`;
}

function atOnceLine(backend: string, { runs, ratio }: AtOnceFigures): string {
  return `${backend}: ${runs} runs at once take ${ratio.toFixed(2)} times as long as one after another\n`;
}

function wasmLine({ threads, seconds, steps: count, outside, atOnce }: WasmFigures): string {
  const share = (100 * outside).toFixed(2);
  return `${atOnceLine("wasm", atOnce)}wasm, ${threads} thread(s): ${seconds.toFixed(1)} s for ${count} steps with every frame read, ${share} % of it outside onnxruntime\n`;
}

function shownLine({ steps, finalTextRatio, scrubMilliseconds }: ShownFrames): string {
  return `frames shown, wasm: the text of ${steps} steps after ${finalTextRatio.toFixed(2)} times a run without frames, \
one left out within ${scrubMilliseconds.toFixed(0)} ms\n`;
}
