import type { RunBuffers } from "./buffers";
import { STEP_BYTES } from "./plan";
import { STEP_WGSL, WORKGROUP_SIZE } from "./step-wgsl";

/** The step kernel (`step-wgsl.ts`), bound to the buffers of one run. */
export class StepKernel {
  readonly #group: GPUBindGroup;

  constructor(
    private readonly device: GPUDevice,
    private readonly pipeline: GPUComputePipeline,
    private readonly buffers: RunBuffers,
    /** Most workgroups in a row; those of a larger run lie in several rows. */
    private readonly widest = device.limits.maxComputeWorkgroupsPerDimension,
  ) {
    const { steps, answers, shown, input, previous, holds, anchors, overflows } = buffers;
    const storage = [answers, shown, input, previous, holds, anchors, overflows];
    this.#group = device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: [
        { binding: 0, resource: { buffer: steps, size: STEP_BYTES } },
        ...storage.map((buffer, i) => ({ binding: i + 1, resource: { buffer } })),
      ],
    });
  }

  /** Submits dispatch `index` of the run's plan, and the prefix of the pass after it; both run after all before. */
  submit(index: number): void {
    const { shape, stepStride, prefixes, prefix } = this.buffers;
    const groups = Math.ceil(shape.count / WORKGROUP_SIZE);
    const wide = Math.min(groups, this.widest);
    const encoder = this.device.createCommandEncoder({ label: "step" });
    const pass = encoder.beginComputePass();
    pass.setPipeline(this.pipeline);
    pass.setBindGroup(0, this.#group, [index * stepStride]);
    pass.dispatchWorkgroups(wide, Math.ceil(groups / wide));
    pass.end();
    const at = index * prefix.size;
    if (at + prefix.size <= prefixes.size) encoder.copyBufferToBuffer(prefixes, at, prefix, 0, prefix.size);
    this.device.queue.submit([encoder.finish()]);
  }
}

const pipelines = new WeakMap<GPUDevice, Promise<GPUComputePipeline>>();

/** The kernel's pipeline, compiled once for each device. */
export function stepPipeline(device: GPUDevice): Promise<GPUComputePipeline> {
  const made = pipelines.get(device) ?? compile(device);
  pipelines.set(device, made);
  return made;
}

function compile(device: GPUDevice): Promise<GPUComputePipeline> {
  const storage = (binding: number, type: GPUBufferBindingType): GPUBindGroupLayoutEntry => ({
    binding,
    visibility: GPUShaderStage.COMPUTE,
    buffer: { type },
  });
  const layout = device.createBindGroupLayout({
    entries: [
      { binding: 0, visibility: GPUShaderStage.COMPUTE, buffer: { type: "uniform", hasDynamicOffset: true } },
      storage(1, "read-only-storage"),
      ...[2, 3, 4].map((binding) => storage(binding, "storage")),
      ...[5, 6].map((binding) => storage(binding, "read-only-storage")),
      storage(7, "storage"),
    ],
  });
  return device.createComputePipelineAsync({
    label: "step",
    layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
    compute: { module: device.createShaderModule({ label: "step", code: STEP_WGSL }), entryPoint: "advance" },
  });
}
