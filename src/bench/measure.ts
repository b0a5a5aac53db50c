/** What `npm run bench` measures, in a page or in Node. The models are opened by the caller and stay open. */
import type { Recipe } from "../flow/recipe";
import { type SamplerSettings, unguided } from "../flow/settings";
import { RunMemory } from "../run/memory";
import { planRecipe } from "../run/plan";
import { readRun } from "../run/readRun";
import { writeTogether } from "../run/together";
import { type WriteOptions, writeRun } from "../run/writeRun";
import type { Model } from "../runtime/load";
import type { OpenModel } from "./openModel";
import { countTraffic, type Traffic } from "./traffic";

/** One way to run the sampler, over all repeats. */
export interface LoopFigures {
  /** Median over the repeats. */
  readonly millisecondsPerStep: number;
  readonly bytesPerStep: Traffic;
}

export interface GpuFigures {
  readonly shape: {
    readonly length: number;
    readonly latentSize: number;
    readonly steps: number;
    readonly repeats: number;
  };
  /** Every frame read, and only the last one. */
  readonly everyFrame: { readonly ours: LoopFigures; readonly plain: LoopFigures };
  readonly lastFrame: { readonly ours: LoopFigures; readonly plain: LoopFigures };
  readonly atOnce: AtOnceFigures;
}

/** Runs written at once, as the cells of a grid are on a GPU. */
export interface AtOnceFigures {
  readonly runs: number;
  /** Time of all of them over that of as many one after another: 1 where nothing is gained. */
  readonly ratio: number;
}

export interface WasmFigures {
  readonly threads: number;
  readonly steps: number;
  readonly seconds: number;
  /** Share of the time that is spent outside onnxruntime, 0 … 1. */
  readonly outside: number;
  readonly atOnce: AtOnceFigures;
}

/** What frames cost where they are shown: on wasm, where a pass takes longest. */
export interface ShownFrames {
  readonly steps: number;
  /** Time to the text with frames read on the way as the page has them, over that of a run that reads the text alone. */
  readonly finalTextRatio: number;
  /** Time till a frame that was left out is seen, in the reading looked at: the median over all, each asked for by itself. */
  readonly scrubMilliseconds: number;
}

/** Graph runs, and passes of the network within them, that a whole run of `steps` takes. */
export interface Passes {
  readonly steps: number;
  /** Decoder runs where every frame is shown, and where only the last is. */
  readonly decoder: { readonly everyFrame: number; readonly lastFrame: number };
  /** Denoiser runs of a guided run, each a batch of two, and how many passes they hold. */
  readonly guided: { readonly runs: number; readonly passes: number };
  /** Denoiser runs of a fork from the middle; a run from the start would take `steps`. */
  readonly forkFromMiddle: number;
}

/** Our loop against one that uploads and downloads z and x̂ every step; both in turn, on one model and device. */
export async function onWebGpu(model: OpenModel, steps: number, repeats: number): Promise<GpuFigures> {
  const traffic = countTraffic();
  const settings = settingsOf(model, steps);
  const loops = { ours: runOurs, plain: runPlain };

  const measure = async (everyFrame: boolean) => {
    const times = { ours: [] as number[], plain: [] as number[] };
    const bytes = { ours: { up: 0, down: 0 }, plain: { up: 0, down: 0 } };
    // The first round compiles shaders and counts for nothing.
    for (let round = 0; round <= repeats; round++) {
      for (const name of ["ours", "plain"] as const) {
        const before = traffic();
        const start = performance.now();
        await loops[name](model, settings, everyFrame);
        if (round > 0) times[name].push((performance.now() - start) / steps);
        const { up, down } = traffic();
        bytes[name] = { up: (up - before.up) / steps, down: (down - before.down) / steps };
      }
    }
    const figures = (name: "ours" | "plain") => ({
      millisecondsPerStep: median(times[name]),
      bytesPerStep: bytes[name],
    });
    return { ours: figures("ours"), plain: figures("plain") };
  };

  const { latentSize } = model.network;
  const shape = { length: settings.length, latentSize, steps, repeats };
  const [everyFrame, lastFrame] = [await measure(true), await measure(false)];
  return { shape, everyFrame, lastFrame, atOnce: await ofRunsAtOnce(model, settings, repeats) };
}

/** Runs of one grid: as many as are written at once, each with a γ of its own. */
const RUNS_AT_ONCE = 16;

/** What is gained where runs are written as one batch, over our loop for one after another. */
async function ofRunsAtOnce(model: Model, settings: SamplerSettings, repeats: number): Promise<AtOnceFigures> {
  const runs = Array.from({ length: RUNS_AT_ONCE }, (_, i) => ({
    settings: { ...settings, method: "sde" as const, solver: "euler" as const, gamma: i / 4 },
  }));
  const together = () =>
    writeTogether(
      model,
      runs.map((run) => ({ plan: planRecipe(model, run), options: { frames: "last" }, onEvent: () => {} })),
    );
  const ratios: number[] = [];
  for (let round = 0; round <= repeats; round++) {
    const start = performance.now();
    await Promise.all(together());
    const between = performance.now();
    for (const run of runs) await write(model, run, { frames: "last" });
    if (round > 0) ratios.push((between - start) / (performance.now() - between));
  }
  return { runs: runs.length, ratio: median(ratios) };
}

/** Writes a run as the engine does, on the GPU where the model is open on one. */
async function write(model: Model, recipe: Recipe, options: WriteOptions): Promise<void> {
  for await (const _ of writeRun(model, planRecipe(model, recipe), options));
}

const runOurs = (model: Model, settings: SamplerSettings, everyFrame: boolean) =>
  write(model, { settings }, { frames: everyFrame ? "every" : "last" });

const runPlain = (model: Model, settings: SamplerSettings, everyFrame: boolean) =>
  runOurs(withoutLoop(model), settings, everyFrame);

/** The same model, whose runs go through arrays: its states come back from the GPU at every step. */
const withoutLoop = (model: Model): Model => ({ ...model, gpu: undefined });

/** How much of a run in wasm is not spent in onnxruntime. */
export async function onWasm(model: OpenModel, steps: number): Promise<WasmFigures> {
  const settings = settingsOf(model, steps);
  const { runtime } = model;
  const run = runtime.run.bind(runtime);
  let inside = 0;
  runtime.run = async (...of) => {
    const start = performance.now();
    try {
      return await run(...of);
    } finally {
      inside += performance.now() - start;
    }
  };
  // A short run first, for the compilers of both sides.
  await runPlain(model, { ...settings, steps: Math.min(steps, 4) }, true);
  inside = 0;
  const start = performance.now();
  await runPlain(model, settings, true);
  const whole = performance.now() - start;
  const outside = 1 - inside / whole;
  const threads = runtime.ort.env.wasm.numThreads ?? 1;
  const atOnce = await ofRunsAtOnce(model, { ...settings, steps: Math.min(steps, 4) }, 1);
  return { threads, steps, seconds: whole / 1000, outside, atOnce };
}

/** How much sooner the text is there than its frames, and how long one of these takes when it is looked at. */
export async function ofShownFrames(model: OpenModel, steps: number, repeats: number): Promise<ShownFrames> {
  const settings = unguided(settingsOf(model, steps));
  const timed = async (task: () => Promise<unknown>) => {
    const start = performance.now();
    await task();
    return performance.now() - start;
  };
  const ratios: number[] = [];
  const scrubs: number[] = [];
  for (let round = 0; round <= repeats; round++) {
    const memory = new RunMemory();
    const alone = await timed(() => write(model, { settings }, { frames: "last" }));
    const paced = await timed(() => write(model, { settings }, { frames: "paced", memory }));
    // The first round compiles and counts for nothing.
    if (round === 0) continue;
    ratios.push(paced / alone);
    const plan = planRecipe(model, { settings });
    for (let step = 1; step < steps; step++) {
      scrubs.push(
        await timed(async () => {
          // What is looked at; the frame's other reading comes after it.
          for await (const _ of readRun(model, plan, { steps: [step], first: "holds" }, { memory })) break;
        }),
      );
    }
  }
  return { steps, finalTextRatio: median(ratios), scrubMilliseconds: median(scrubs) };
}

/** What one way to compute a model takes; `elf bench peers` has the same of others. */
export interface PeerFigures {
  readonly peer: string;
  readonly loadSeconds: number;
  /** Of the first run, in which code is compiled. */
  readonly firstTextSeconds: number;
  readonly stepSeconds: number;
  /** The most memory there ever was; null where it is not known. */
  readonly peakBytes: number | null;
  readonly tokens: readonly number[];
}

/** The page's own loop in wasm, from the loading of the model on; only the text is read. */
export async function asPeer(
  open: () => Promise<OpenModel>,
  change: Pick<SamplerSettings, "steps" | "seed" | "selfCondScale">,
  repeats: number,
): Promise<PeerFigures> {
  const began = performance.now();
  const model = await open();
  const loaded = performance.now();
  // As `elf bench peers` has them.
  const settings: SamplerSettings = {
    ...settingsOf(model, change.steps),
    ...{ method: "sde", gamma: 1.5, cfgScale: 1, schedule: "logit_normal", solver: "euler", rng: "original" },
    ...change,
    length: model.manifest.architecture.maxLength,
  };
  const text = async () => {
    let tokens: Int32Array | undefined;
    for await (const event of writeRun(model, planRecipe(model, { settings }), { frames: "last" })) {
      if (event.type === "frame") tokens = event.frame.holds.tokens;
    }
    return Array.from(tokens ?? []);
  };
  const tokens = await text();
  const first = performance.now();
  const times: number[] = [];
  for (let round = 0; round < repeats; round++) {
    const start = performance.now();
    await text();
    times.push((performance.now() - start) / 1000 / settings.steps);
  }
  await model.network.dispose();
  return {
    peer: `the page, wasm, ${model.runtime.threads} thread(s)`,
    loadSeconds: (loaded - began) / 1000,
    firstTextSeconds: (first - loaded) / 1000,
    stepSeconds: median(times),
    peakBytes: null,
    tokens,
  };
}

/** Counts what the loop asks of a network, and of a conditional one. */
export async function countPasses(model: OpenModel, conditional: OpenModel, steps: number): Promise<Passes> {
  const settings = { ...settingsOf(model, steps), method: "ode" as const };
  const everyFrame = await counted(model, () => runOurs(model, settings, true));
  const lastFrame = await counted(model, () => runOurs(model, settings, false));
  // Of a run through arrays every state is remembered, so a fork begins at its own step and writes nothing again.
  const memory = new RunMemory();
  await write(withoutLoop(model), { settings }, { memory, frames: "last" });
  const from = { run: { settings }, step: Math.floor(steps / 2) };
  const fork = await counted(model, () => write(model, { settings, from }, { memory, frames: "last" }));

  const guided = { settings: { ...settingsOf(conditional, steps), cfgScale: 2 }, prompt: { ids: [5, 6, 7] } };
  const counts = await counted(conditional, () => write(conditional, guided, { frames: "last" }));
  return {
    steps,
    decoder: { everyFrame: everyFrame.decoder, lastFrame: lastFrame.decoder },
    guided: { runs: counts.denoiser, passes: counts.rows },
    forkFromMiddle: fork.denoiser,
  };
}

/** Runs of each graph during `task`, and rows of the denoiser's. */
async function counted(
  { runtime }: OpenModel,
  task: () => Promise<void>,
): Promise<{ denoiser: number; decoder: number; rows: number }> {
  const counts = { denoiser: 0, decoder: 0, rows: 0 };
  const run = runtime.run;
  runtime.run = (session, inputs, outputs) => {
    if (session.outputNames.includes("x_hat")) {
      counts.denoiser++;
      counts.rows += inputs.z?.dims[0] ?? 0;
    } else if (session.outputNames.includes("top_tokens")) {
      counts.decoder++;
    }
    return run.call(runtime, session, inputs, outputs);
  };
  try {
    await task();
  } finally {
    runtime.run = run;
  }
  return counts;
}

const settingsOf = ({ manifest }: OpenModel, steps: number): SamplerSettings => ({ ...manifest.defaults, steps });

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] as number;
}
