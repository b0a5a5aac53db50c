import { expect, type Page } from "@playwright/test";
import type { SamplerSettings } from "../../../src/flow/settings";
import { RUN_SETTINGS } from "../../../src/flow/testing/settings";
import { slow } from "../slow";
import { test } from "../source-pages";
import type { ModelRun, RunTokens } from "./loop-page";

let page: Page;

test.beforeAll(({ gpuPage }) => {
  page = gpuPage;
});

const settings: SamplerSettings = { ...RUN_SETTINGS, length: 16 };
const tiny = (changes: Partial<SamplerSettings> = {}): ModelRun => ({
  model: "tiny-model",
  settings: { ...settings, ...changes },
});

/** Both backends' tokens of several runs: how many of the last frames' and of all frames' agree, and how far z is off. */
async function compare(runs: readonly ModelRun[]) {
  const counts = { last: [0, 0], all: [0, 0] } as Record<"last" | "all", [number, number]>;
  let distance = 0;
  for (const run of runs) {
    const gpu = await page.evaluate((of) => window.gpu.gpuTokens(of), run);
    const wasm = await page.evaluate((of) => window.gpu.wasmTokens(of), run);
    expect(gpu.frames.length).toBe(run.settings.steps + 1);
    const flat = ({ frames }: RunTokens, from = 0) =>
      frames.slice(from).flatMap((rows) => rows.flatMap(({ holds, expects }) => [...holds, ...expects]));
    for (const [name, from] of [
      ["last", -1],
      ["all", 0],
    ] as const) {
      const [a, b] = [flat(gpu, from), flat(wasm, from)];
      expect(a.length).toBe(b.length);
      counts[name][0] += a.filter((token, i) => token === b[i]).length;
      counts[name][1] += a.length;
    }
    distance = Math.max(distance, ...gpu.z.map((value, i) => Math.abs(value - (wasm.z[i] as number))));
  }
  const share = ([same, of]: [number, number]) => same / of;
  const result = { last: share(counts.last), all: share(counts.all), tokens: counts.all[1], distance };
  test.info().annotations.push({ type: "agreement", description: JSON.stringify(result) });
  return result;
}

/** Six samples, three to a run: fewer passes than six runs take. */
const samples = [0, 1].map((seed) => ({ seed, batch: 3 }));

for (const method of ["sde", "ode"] as const) {
  test(`writes the tokens of wasm: ${method}`, slow("six samples, 32 steps each, in software"), async () => {
    const { last, all } = await compare(samples.map(({ seed, batch }) => ({ ...tiny({ method, seed }), batch })));
    expect(last).toBeGreaterThanOrEqual(0.99);
    expect(all).toBeGreaterThanOrEqual(0.99);
  });
}

test("writes the tokens of wasm: the multistep solver", slow("forks of it are written in the last test"), async () => {
  const { all } = await compare([tiny({ method: "ode", solver: "multistep", steps: 5 })]);
  expect(all).toBeGreaterThanOrEqual(0.99);
});

test(
  "writes the tokens of wasm: prompts, guided, several samples at once",
  slow("a network more is compiled"),
  async () => {
    const run = { model: "tiny-conditional", settings: { ...settings, cfgScale: 2, steps: 4 }, batch: 2 };
    const { all } = await compare([
      {
        ...run,
        sources: [
          [5, 6, 7],
          [9, 8],
        ],
      },
    ]);
    expect(all).toBeGreaterThanOrEqual(0.99);
  },
);

test(
  "writes the tokens of wasm: a network without self-cond CFG tokens",
  slow("the next test has all of it, and a prompt besides"),
  async () => {
    const { all } = await compare([{ model: "tiny-two-pass", settings: { ...settings, steps: 4 } }]);
    expect(all).toBeGreaterThanOrEqual(0.99);
  },
);

test("writes the tokens of wasm: a prompt that x̂ starts without, in four passes each", async () => {
  const run = { model: "tiny-two-pass", settings: { ...settings, cfgScale: 2, steps: 4 }, batch: 2 };
  const { all } = await compare([{ ...run, sources: [[5, 6, 7], [9]] }]);
  expect(all).toBeGreaterThanOrEqual(0.99);
});

test("a fork without a change ends as its parent does, bit for bit, and nothing is left on the device", async () => {
  const kinds = [{ method: "sde" }, { method: "ode" }, { method: "ode", solver: "multistep" }] as const;
  for (const kind of kinds) {
    const result = await page.evaluate((run) => window.gpu.fork(run, 3), tiny({ ...kind, steps: 6 }));
    expect(result).toEqual({ same: true, left: 0 });
  }
});

test("reads only what is asked for, and only while it is there", async () => {
  const { gone, ...passes } = await page.evaluate((run) => window.gpu.lazily(run), tiny());
  expect(passes).toEqual({ prefix: 1, denoiser: 8, decoder: 1 });
  expect(gone).toContain("has left step 0");
});

test("a cancel is heard before the next pass, and frees the run", async () => {
  const result = await page.evaluate((run) => window.gpu.cancelled(run, 2), tiny({ steps: 400 }));
  expect(result).toEqual({ thrown: "CancelledError", states: 3, left: 0 });
});

test(
  "a lost device ends the run by name, after the frames so far",
  slow("everything is made anew for a second device"),
  async () => {
    const result = await page.evaluate((run) => window.gpu.deviceLost(run, 2), tiny());
    expect(result).toEqual({ thrown: "DeviceLostError", frames: 3 });
  },
);

test("a run that does not fit is refused by name", async () => {
  const thrown = await page.evaluate((run) => window.gpu.tooLarge(run), { ...tiny({ length: 1024 }), batch: 2 ** 15 });
  expect(thrown).toBe("GpuMemoryError");
});
