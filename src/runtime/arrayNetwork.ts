import type { NetworkParts } from "../delivery/networkParts";
import {
  type DenoiseInput,
  type Encoder,
  HIDDEN,
  type MixedInput,
  type Network,
  type PerSample,
  type Reading,
  type Source,
} from "../flow/network";
import { joined } from "../flow/rows";
import type { Manifest } from "../format/manifest";
import { type Graphs, type OpenGraphsOptions, openGraphs, overflowed } from "./graphs";
import { Prefixes } from "./prefixes";
import type { Runtime } from "./runtime";

/** Opens a model's graphs for the flow. @throws as `openGraphs` does. */
export async function openNetwork(
  manifest: Manifest,
  parts: NetworkParts,
  runtime: Runtime,
  options?: OpenGraphsOptions,
): Promise<ArrayNetwork> {
  return new ArrayNetwork(await openGraphs(manifest, parts, runtime, options));
}

/** A model's graphs as the flow asks them: arrays in, arrays out. */
export class ArrayNetwork implements Network, Encoder {
  readonly latentSize: number;
  readonly takesSelfCondScale: boolean;
  readonly denoiseMixed?: (input: MixedInput) => Promise<Float32Array>;
  readonly #prefixes: Prefixes;

  constructor(readonly graphs: Graphs) {
    this.latentSize = graphs.latentSize;
    this.takesSelfCondScale = graphs.takesSelfCondScale;
    if (graphs.mixesTimes) this.denoiseMixed = (input) => this.#denoise(input);
    this.#prefixes = new Prefixes(graphs);
  }

  prepare(times: readonly number[], selfCondScale: PerSample): Promise<void> {
    return this.#prefixes.prepare(times, selfCondScale);
  }

  denoise(input: DenoiseInput): Promise<Float32Array> {
    return this.#denoise(input);
  }

  async #denoise({ z, previous, batch, t, selfCondScale }: MixedInput): Promise<Float32Array> {
    const { graphs } = this;
    const shape = [batch, z.length / batch / this.latentSize, this.latentSize];
    const prefix = await this.#prefixes.of(t, selfCondScale);
    const inputs = { z: graphs.floats(z, shape), x_hat_prev: graphs.floats(previous, shape), prefix };
    const outputs = await graphs.run("denoiser", inputs);
    const prediction = outputs.x_hat?.data as Float32Array;
    // Some GPUs overflow without a word; every later pass would only spread it.
    if (!prediction.every(Number.isFinite)) throw overflowed(graphs.runtime.backend);
    return prediction;
  }

  async decode(latents: readonly Float32Array[], selfCondScale: PerSample): Promise<Reading[]> {
    const count = latents.length;
    const length = (latents[0]?.length ?? 0) / this.latentSize;
    const latent = this.graphs.floats(joined(latents), [count, length, this.latentSize]);
    return this.graphs.readings(latent, this.graphs.perRow(selfCondScale, count), count, length);
  }

  /** @throws {ConditionError} the model has no encoder; the first time also whatever opening its graph throws. */
  async encode(sources: readonly Source[]): Promise<Float32Array[]> {
    await this.graphs.requireEncoder();
    const longest = Math.max(...sources.map(({ length }) => length));
    const shape = [sources.length, longest];
    const ids = new BigInt64Array(sources.length * longest);
    const mask = new BigInt64Array(sources.length * longest);
    for (const [row, source] of sources.entries()) {
      ids.set(
        source.map((id) => BigInt(id === HIDDEN ? 0 : id)),
        row * longest,
      );
      mask.set(
        source.map((id) => (id === HIDDEN ? 0n : 1n)),
        row * longest,
      );
    }
    const { Tensor } = this.graphs.runtime.ort;
    const outputs = await this.graphs.run("encoder", {
      input_ids: new Tensor("int64", ids, shape),
      attention_mask: new Tensor("int64", mask, shape),
    });
    const latent = outputs.latent?.data as Float32Array;
    const width = longest * this.latentSize;
    return sources.map(({ length }, row) => latent.slice(row * width, row * width + length * this.latentSize));
  }

  dispose(): Promise<void> {
    return this.graphs.dispose();
  }
}
