/** What the tests of the step kernel run inside the browser. */
import type { Clamp } from "../../../src/flow/clamp";
import type { Condition } from "../../../src/flow/condition";
import type { Key } from "../../../src/flow/random";
import type { FlowConstants, FlowState } from "../../../src/flow/sampler";
import type { RngLayout, SamplerSettings } from "../../../src/flow/settings";
import { download, makeBuffers } from "../../../src/runtime/gpu/buffers";
import { passesOf, planRun } from "../../../src/runtime/gpu/plan";
import { RANDOM_WGSL } from "../../../src/runtime/gpu/random-wgsl";
import { StepKernel, stepPipeline } from "../../../src/runtime/gpu/step-kernel";
import { toyAnswer } from "./toy";

/** One run of the kernel with the toy network. Arrays that cross to the page travel as plain ones. */
export interface ToyRun {
  readonly settings: SamplerSettings;
  readonly constants: FlowConstants;
  readonly batch: number;
  readonly latentSize: number;
  readonly takesSelfCondScale: boolean;
  readonly condition?: Condition | undefined;
  readonly clamp?: Clamp | undefined;
  /** Where the run begins, and after which step. */
  readonly entry?: FlowState | undefined;
  /** Most workgroups in a row. */
  readonly widest?: number;
}

/** A state as the kernel left it. */
export interface ToyState {
  readonly step: number;
  readonly t: number;
  readonly predictedAt: number;
  readonly z: readonly number[];
  readonly prediction: readonly number[];
}

export const kernelFunctions = {
  /** Words 0 … count − 1 of a key as the kernel draws them, and their normals. */
  async random(key: Key, count: number, layout: RngLayout): Promise<{ bits: number[]; normals: number[] }> {
    const words = `randomBits(vec2(${key[0]}u, ${key[1]}u), i, ${count}u, ${layout === "original" ? 0 : 1}u)`;
    return normalsOf(words, new Uint32Array(count));
  },

  /** The normals that the kernel makes of these words. */
  async normals(words: readonly number[]): Promise<number[]> {
    return (await normalsOf("bits[i]", Uint32Array.from(words))).normals;
  },

  /** All states of a run whose network is a function in JavaScript. */
  async toyRun(run: ToyRun): Promise<ToyState[]> {
    const device = await newDevice();
    const { settings, constants, batch, latentSize, takesSelfCondScale, condition, clamp, entry, widest } = run;
    const count = batch * settings.length * latentSize;
    const passes = passesOf(settings, condition !== undefined, takesSelfCondScale);
    const shape = { ...passes, count, latentSize, batch, length: settings.length };
    const plan = planRun(settings, constants, shape, entry);
    const { selfCondScale } = settings;
    const prefixBytes = 16;
    const buffers = await makeBuffers(device, { shape, plan, prefixBytes, condition, clamp, selfCondScale, entry });
    const kernel = new StepKernel(device, await stepPipeline(device), buffers, widest);
    const floats = async (buffer: GPUBuffer) => new Float32Array(await download(device, buffer));
    const states: ToyState[] = [];
    for (const [i, { completes, t, asksAt, predictedAt }] of plan.entries()) {
      kernel.submit(i);
      const shown = Array.from(await floats(buffers.shown));
      const [z, prediction] = [shown.slice(0, count), shown.slice(count, 2 * count)];
      states.push({ step: completes, t, predictedAt, z, prediction });
      const [input, previous] = await Promise.all([buffers.input, buffers.previous].map(floats));
      const scale = takesSelfCondScale ? selfCondScale : 0;
      const answers = input?.map((z, j) => toyAnswer(z, previous?.[j] as number, asksAt, scale));
      if (answers) device.queue.writeBuffer(buffers.answers, 0, answers);
    }
    const [overflows] = new Uint32Array(await download(device, buffers.overflows));
    if (overflows) throw new Error(`${overflows} numbers overflowed.`);
    buffers.destroy();
    device.destroy();
    return states;
  },
};

/** Evaluates the WGSL expression `words` of `i` and `bits` for each element of `bits`, and the normal of each. */
async function normalsOf(
  words: string,
  bits: Uint32Array<ArrayBuffer>,
): Promise<{ bits: number[]; normals: number[] }> {
  const device = await newDevice();
  const code = `${RANDOM_WGSL}
    @group(0) @binding(0) var<storage, read_write> bits: array<u32>;
    @group(0) @binding(1) var<storage, read_write> normals: array<f32>;
    @group(0) @binding(2) var<storage, read> zero: u32;
    @compute @workgroup_size(64) fn draw(@builtin(global_invocation_id) id: vec3<u32>) {
      let i = id.x;
      if (i >= arrayLength(&bits)) { return; }
      bits[i] = ${words};
      normals[i] = normalOfBits(bits[i], zero);
    }`;
  const pipeline = await device.createComputePipelineAsync({
    layout: "auto",
    compute: { module: device.createShaderModule({ code }), entryPoint: "draw" },
  });
  const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
  const make = (size: number) => device.createBuffer({ size, usage: STORAGE | COPY_SRC | COPY_DST });
  const buffers = { words: make(bits.byteLength), normals: make(bits.byteLength), zero: make(4) };
  device.queue.writeBuffer(buffers.words, 0, bits);
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  const entries = Object.values(buffers).map((buffer, binding) => ({ binding, resource: { buffer } }));
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
  pass.dispatchWorkgroups(Math.ceil(bits.length / 64));
  pass.end();
  device.queue.submit([encoder.finish()]);
  const drawn = {
    bits: Array.from(new Uint32Array(await download(device, buffers.words))),
    normals: Array.from(new Float32Array(await download(device, buffers.normals))),
  };
  device.destroy();
  return drawn;
}

async function newDevice(): Promise<GPUDevice> {
  const adapter = await navigator.gpu.requestAdapter();
  const device = await adapter?.requestDevice();
  if (!device) throw new Error("There is no WebGPU here.");
  device.addEventListener("uncapturederror", ({ error }) => console.error(error.message));
  return device;
}
