/** What the tests of the loop run inside the browser. */
import { openModel } from "../../../src/bench/models";
import { gpuNetwork, type OpenModel } from "../../../src/bench/openModel";
import { encodeCondition } from "../../../src/flow/condition";
import { ElfError } from "../../../src/flow/errors";
import type { Reading, Source } from "../../../src/flow/network";
import { type FlowOptions, type FlowState, flow } from "../../../src/flow/sampler";
import type { SamplerSettings } from "../../../src/flow/settings";
import { type Frame, readFrame } from "../../../src/flow/trajectory";
import { flowConstants } from "../../../src/format/manifest";
import { makeBuffers } from "../../../src/runtime/gpu/buffers";
import { followGpuFlow, gpuFlow } from "../../../src/runtime/gpu/loop";
import { passesOf, planRun } from "../../../src/runtime/gpu/plan";

/** A run of a model of the fixtures. */
export interface ModelRun {
  readonly model: string;
  readonly settings: SamplerSettings;
  readonly sources?: readonly Source[];
  readonly batch?: number;
}

/** What the runs of both backends are compared by: every frame's tokens, and where the run ended. */
export interface RunTokens {
  /** Of each state, of each sample: what it holds and what it expects. */
  readonly frames: readonly (readonly { readonly holds: number[]; readonly expects: number[] }[])[];
  readonly z: readonly number[];
}

const open = new Map<string, Promise<OpenModel>>();

/** Opens a model of the fixtures once. */
function model(name: string, backend: "webgpu" | "wasm"): Promise<OpenModel> {
  const key = `${name} ${backend}`;
  const opening = open.get(key) ?? openModel(new URL(`/test/fixtures/${name}/`, location.href).href, backend);
  open.set(key, opening);
  return opening;
}

const constantsOf = ({ manifest }: OpenModel) => flowConstants(manifest);

async function optionsOf(opened: OpenModel, { settings, sources = [], batch = 1 }: ModelRun): Promise<FlowOptions> {
  const { latentSize } = opened.network;
  const condition = await encodeCondition(opened.network, sources, { batch, length: settings.length, latentSize });
  return { batch, condition };
}

const tokensOf = (frames: readonly Frame[]) => {
  const list = ({ tokens }: Reading) => Array.from(tokens);
  return frames.map(({ holds, expects }) => ({ holds: list(holds), expects: list(expects) }));
};

/** Counts the buffers that live on a device from now on. */
function countBuffers(device: GPUDevice): () => number {
  let living = 0;
  const create = device.createBuffer.bind(device);
  device.createBuffer = (descriptor) => {
    const buffer = create(descriptor);
    const destroy = buffer.destroy.bind(buffer);
    // ORT's own buffers are pooled and live on; those of the loop are labelled.
    if (descriptor.label) living++;
    buffer.destroy = () => {
      if (descriptor.label) living--;
      return destroy();
    };
    return buffer;
  };
  return () => living;
}

export const loopFunctions = {
  async wasmTokens(run: ModelRun): Promise<RunTokens> {
    const opened = await model(run.model, "wasm");
    const options = await optionsOf(opened, run);
    const frames: RunTokens["frames"][number][] = [];
    let last: FlowState | undefined;
    for await (const state of flow(opened.network, run.settings, constantsOf(opened), options)) {
      const rows = Array.from({ length: state.batch }, (_, row) =>
        readFrame(opened.network, state, run.settings.selfCondScale, row),
      );
      frames.push(tokensOf(await Promise.all(rows)));
      last = state;
    }
    return { frames, z: Array.from(last?.z ?? []) };
  },

  async gpuTokens(run: ModelRun): Promise<RunTokens> {
    const opened = await model(run.model, "webgpu");
    const options = await optionsOf(opened, run);
    const frames: RunTokens["frames"][number][] = [];
    let z: readonly number[] = [];
    for await (const state of gpuFlow(gpuNetwork(opened), run.settings, constantsOf(opened), options)) {
      frames.push(tokensOf(await state.read()));
      if (state.step === run.settings.steps) z = Array.from((await state.download()).z);
    }
    return { frames, z };
  },

  /** Whether a fork of a run at `step` ends in the parent's z, bit for bit; and that no buffer was left. */
  async fork(run: ModelRun, step: number): Promise<{ same: boolean; left: number }> {
    const opened = await model(run.model, "webgpu");
    const network = gpuNetwork(opened);
    const left = countBuffers(network.device);
    const options = await optionsOf(opened, run);
    let middle: FlowState | undefined;
    let parent: FlowState | undefined;
    for await (const state of gpuFlow(network, run.settings, constantsOf(opened), options)) {
      if (state.step === step) middle = await state.download();
      if (state.step === run.settings.steps) parent = await state.download();
    }
    if (!middle) throw new Error("The run has no such step.");
    let fork: FlowState | undefined;
    for await (const state of followGpuFlow(network, middle, step, run.settings, constantsOf(opened), options)) {
      if (state.step === run.settings.steps) fork = await state.download();
    }
    return { same: parent !== undefined && String(fork?.z) === String(parent.z), left: left() };
  },

  /** How many decoder passes a run takes of which only the end is read. */
  async lazily(run: ModelRun): Promise<{ prefix: number; denoiser: number; decoder: number; gone: string }> {
    const opened = await model(run.model, "webgpu");
    const counts = { prefix: 0, denoiser: 0, decoder: 0 };
    const { runtime } = opened;
    const runs = runtime.run.bind(runtime);
    runtime.run = (session, inputs, outputs) => {
      const { outputNames } = session;
      counts[outputNames.includes("x_hat") ? "denoiser" : outputNames.includes("prefix") ? "prefix" : "decoder"]++;
      return runs(session, inputs, outputs);
    };
    let first: Promise<Frame[]> | undefined;
    let gone = "";
    try {
      const states = gpuFlow(gpuNetwork(opened), run.settings, constantsOf(opened));
      const start = (await states.next()).value;
      for await (const state of states) if (state.step === run.settings.steps) await state.read();
      first = start?.read();
      await first;
    } catch (error) {
      gone = String(error);
    } finally {
      runtime.run = runs;
    }
    return { ...counts, gone };
  },

  /** Aborts a run after `step`: what it threw, how many states there were, how many buffers it left. */
  async cancelled(run: ModelRun, step: number): Promise<{ thrown: string; states: number; left: number }> {
    const opened = await model(run.model, "webgpu");
    const network = gpuNetwork(opened);
    const left = countBuffers(network.device);
    const abort = new AbortController();
    let states = 0;
    const thrown = await nameOfThrown(async () => {
      for await (const state of gpuFlow(network, run.settings, constantsOf(opened), { signal: abort.signal })) {
        states++;
        if (state.step === step) abort.abort();
      }
    });
    return { thrown, states, left: left() };
  },

  /** Loses the device of a run after `step`: what it threw, and how many frames had been read. */
  async deviceLost(run: ModelRun, step: number): Promise<{ thrown: string; frames: number }> {
    // A device of its own, which no other test needs.
    const opened = await openModel(new URL(`/test/fixtures/${run.model}/`, location.href).href, "webgpu");
    const network = gpuNetwork(opened);
    let frames = 0;
    const thrown = await nameOfThrown(async () => {
      for await (const state of gpuFlow(network, run.settings, constantsOf(opened))) {
        await state.read();
        frames++;
        if (state.step === step) network.device.destroy();
      }
    });
    return { thrown, frames };
  },

  /** What a run of `batch` samples throws before its first step. */
  async tooLarge(run: ModelRun): Promise<string> {
    const opened = await model(run.model, "webgpu");
    const { settings, batch = 1 } = run;
    const { latentSize, device } = gpuNetwork(opened);
    const passes = passesOf(settings, false, true);
    const shape = {
      ...passes,
      count: batch * settings.length * latentSize,
      latentSize,
      batch,
      length: settings.length,
    };
    const plan = planRun(settings, constantsOf(opened), shape, undefined);
    return nameOfThrown(() =>
      makeBuffers(device, {
        shape,
        plan,
        prefixBytes: 16,
        condition: undefined,
        clamp: undefined,
        selfCondScale: 1,
        entry: undefined,
      }),
    );
  },
};

async function nameOfThrown(task: () => Promise<unknown>): Promise<string> {
  try {
    await task();
    return "nothing";
  } catch (error) {
    return error instanceof ElfError ? error.name : String(error);
  }
}
