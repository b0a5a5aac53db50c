import type { DenoiseInput, Network, Reading } from "../network";

/** A network for tests: any smooth function of all inputs will do. Remembers what it was asked. */
export class ToyNetwork implements Network {
  readonly latentSize = 4;
  readonly takesSelfCondScale = true;
  readonly asked: DenoiseInput[] = [];
  readonly announced: { readonly times: readonly number[]; readonly selfCondScale: number }[] = [];
  decoded = 0;

  async prepare(times: readonly number[], selfCondScale: number): Promise<void> {
    this.announced.push({ times, selfCondScale });
  }

  async denoise(input: DenoiseInput): Promise<Float32Array> {
    this.asked.push(input);
    const { z, previous, t, selfCondScale } = input;
    return z.map((value, i) => Math.tanh(0.7 * value + 0.2 * (previous[i] as number) + t - 0.1 * selfCondScale));
  }

  async decode(latents: readonly Float32Array[]): Promise<Reading[]> {
    this.decoded += latents.length;
    return latents.map((latent) => ({
      tokens: Int32Array.of(Math.round(100 * (latent[0] as number))),
      entropy: Float32Array.of(0),
      topTokens: Int32Array.of(0),
      topProbabilities: Float32Array.of(1),
    }));
  }
}
