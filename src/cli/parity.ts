/**
 * `npm run parity`: repeats in wasm the runs that JAX made of a model for many seeds (`elf whole-runs`) and compares the
 * tokens. A token may differ only where the two best logits are as good as equal, so each that does is shown with its lead
 * in both.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { encodeCondition } from "../flow/condition";
import { flow } from "../flow/sampler";
import type { SamplerSettings } from "../flow/settings";
import { flowConstants } from "../format/manifest";
import { loadFolder } from "./folder";

interface Reference {
  jax: string;
  /** Leads below this are in `close`. */
  closeBelow: number;
  runs: { settings: SamplerSettings; promptIds?: number[]; tokens: number[]; close: Record<string, number> }[];
}

/** A trained model whose runs in JAX are kept beside it. */
const COMPARED = join(import.meta.dirname, "../../test/fixtures/stories-mini");
const LEAST_AGREEMENT = 0.999;

const { values } = parseArgs({
  options: {
    model: { type: "string", default: COMPARED },
    runs: { type: "string", default: `${COMPARED}-whole-runs.json` },
    /** Compares every n-th run only. */
    every: { type: "string", default: "1" },
  },
});
const reference = JSON.parse(readFileSync(values.runs, "utf8")) as Reference;
const { manifest, network } = await loadFolder(values.model);

const groups = new Map<string, { runs: number; tokens: number; agreeing: number }>();
const start = performance.now();
for (const [number, { settings, promptIds, tokens, close }] of reference.runs.entries()) {
  if (number % Number(values.every) !== 0) continue;
  let z = new Float32Array();
  const shape = { batch: 1, length: settings.length, latentSize: network.latentSize };
  const condition = await encodeCondition(network, promptIds ? [promptIds] : [], shape);
  for await (const state of flow(network, settings, flowConstants(manifest), { condition })) {
    z = new Float32Array(state.z);
  }
  const [reading] = await network.decode([z], settings.selfCondScale);
  if (!reading) throw new Error("The network read no latent.");

  const name = `${settings.method} ${settings.steps}`;
  const group = groups.get(name) ?? { runs: 0, tokens: 0, agreeing: 0 };
  groups.set(name, group);
  group.runs++;
  const k = reading.topProbabilities.length / reading.tokens.length;
  for (const [position, expected] of tokens.entries()) {
    group.tokens++;
    const actual = reading.tokens[position];
    if (actual === expected) {
      group.agreeing++;
      continue;
    }
    const [best = 0, second = 0] = reading.topProbabilities.subarray(position * k, position * k + 2);
    const lead = close[position]?.toString() ?? `${reference.closeBelow} or more`;
    console.log(
      `${name}, seed ${settings.seed}, position ${position}: JAX ${expected} leads by ${lead}, ` +
        `wasm ${actual} by ${Math.log(best / second).toPrecision(2)}`,
    );
  }
}

console.log(
  `\n${manifest.title}: wasm against JAX ${reference.jax}, ${((performance.now() - start) / 1000).toFixed(0)} s\n`,
);
console.log("method, steps   runs   tokens   agreeing");
let tokens = 0;
let agreeing = 0;
for (const [name, group] of groups) {
  tokens += group.tokens;
  agreeing += group.agreeing;
  const share = (group.agreeing / group.tokens).toFixed(5);
  console.log(`${name.padEnd(13)} ${String(group.runs).padStart(6)} ${String(group.tokens).padStart(8)}   ${share}`);
}
console.log(`${"all".padEnd(13)} ${"".padStart(6)} ${String(tokens).padStart(8)}   ${(agreeing / tokens).toFixed(5)}`);
if (!(agreeing / tokens >= LEAST_AGREEMENT)) {
  console.error(`Less than ${LEAST_AGREEMENT} of the tokens agree.`);
  process.exitCode = 1;
}
await network.dispose();
