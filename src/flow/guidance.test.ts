import { describe, expect, it } from "vitest";
import type { Condition } from "./condition";
import { guidedPredictor } from "./guidance";
import type { DenoiseInput, Network } from "./network";

/** x̂ = z + 10 · x̂_prev + 100 · w, and a memory of what it was asked. */
class LinearNetwork implements Network {
  readonly latentSize = 1;
  readonly asked: DenoiseInput[] = [];

  constructor(readonly takesSelfCondScale: boolean) {}

  async denoise(input: DenoiseInput): Promise<Float32Array> {
    this.asked.push(input);
    const w = this.takesSelfCondScale ? input.selfCondScale : 0;
    return input.z.map((x, i) => x + 10 * (input.previous[i] as number) + 100 * w);
  }

  async decode() {
    return [];
  }
}

// Two samples of three positions; the first sample holds two of them, the second one.
const condition: Condition = { latents: Float32Array.of(7, 8, 0, 9, 0, 0), lengths: [2, 1], latentSize: 1 };
const z = Float32Array.of(7, 8, 1, 9, 2, 3);
const previous = Float32Array.of(7, 8, 4, 9, 5, 6);

describe("guidedPredictor", () => {
  it("asks once where nothing guides", async () => {
    const network = new LinearNetwork(true);
    const predict = guidedPredictor(network, { cfgScale: 1, selfCondScale: 3 }, 2, undefined, "condition");
    expect(Array.from(await predict(z, previous, 0.5))).toEqual([377, 388, 341, 399, 352, 363]);
    expect(network.asked).toEqual([{ z, previous, batch: 2, t: 0.5, selfCondScale: 3 }]);
  });

  it("hides the prompt in the other half of one batch, and gives it back in the answer", async () => {
    const network = new LinearNetwork(true);
    const predict = guidedPredictor(network, { cfgScale: 2, selfCondScale: 1 }, 2, condition, "condition");
    // Behind the prompt both halves see the same here, so that guidance changes nothing.
    expect(Array.from(await predict(z, previous, 0.5))).toEqual([7, 8, 141, 9, 152, 163]);
    expect(network.asked).toHaveLength(1);
    expect(network.asked[0]?.batch).toBe(4);
    expect(Array.from(network.asked[0]?.z ?? [])).toEqual([...z, 0, 0, 1, 0, 2, 3]);
    expect(Array.from(network.asked[0]?.previous ?? [])).toEqual([...previous, 0, 0, 4, 0, 5, 6]);
  });

  it("weighs the prediction with its last one against that without, for a network that takes no scale", async () => {
    const network = new LinearNetwork(false);
    const predict = guidedPredictor(network, { cfgScale: 1, selfCondScale: 3 }, 2, undefined, "condition");
    // z + 3 · 10 · x̂_prev
    expect(Array.from(await predict(z, previous, 0.5))).toEqual([217, 248, 121, 279, 152, 183]);
    expect(Array.from(network.asked[0]?.previous ?? [])).toEqual([...previous, 0, 0, 0, 0, 0, 0]);
    const plain = new LinearNetwork(false);
    await guidedPredictor(plain, { cfgScale: 1, selfCondScale: 1 }, 2, undefined, "condition")(z, previous, 0.5);
    expect(plain.asked[0]?.batch).toBe(2);
  });

  it("does both in four parts, and without a last prediction the prompt alone is told", async () => {
    const network = new LinearNetwork(false);
    const predict = guidedPredictor(network, { cfgScale: 0, selfCondScale: 2 }, 2, condition, "condition");
    expect(Array.from(await predict(z, previous, 0.5))).toEqual([7, 8, 81, 9, 102, 123]);
    expect(network.asked[0]?.batch).toBe(8);
    const zeros = [0, 0, 0, 0, 0, 0];
    expect(Array.from(network.asked[0]?.previous ?? [])).toEqual([
      ...previous,
      ...[0, 0, 4, 0, 5, 6],
      ...condition.latents,
      ...zeros,
    ]);
  });

  it("tells nothing at all where a model's x̂ starts at zero", async () => {
    const network = new LinearNetwork(false);
    const predict = guidedPredictor(network, { cfgScale: 0, selfCondScale: 2 }, 2, condition, "zero");
    await predict(z, previous, 0.5);
    expect(Array.from(network.asked[0]?.previous ?? []).slice(12)).toEqual(new Array(12).fill(0));
    // The state holds the prompt all the same.
    expect(Array.from(network.asked[0]?.z ?? []).slice(12, 18)).toEqual([...z]);
  });
});
