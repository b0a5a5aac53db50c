import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type Manifest, parseManifest } from "../format/manifest";
import { readTrace } from "../format/trace";
import { helpText, readCommandLine, settingsOf, UsageError } from "./options";
import { command } from "./testing/command";

const TINY = "test/fixtures/tiny-model";
const manifest = parseManifest(readFileSync(`${TINY}/manifest.json`, "utf8"));
const optional = parseManifest(readFileSync("test/fixtures/tiny-two-pass/manifest.json", "utf8"));
const conditional = parseManifest(readFileSync("test/fixtures/tiny-conditional/manifest.json", "utf8"));

const generate = (...args: string[]) => command("generate", ...args);

describe("the command line", () => {
  it("lays named settings over the model's defaults", () => {
    const command = readCommandLine(["--steps", "4", "--self-cond-cfg=1.5", "--method", "ode", "--seed", "9"]);
    expect(settingsOf(command, manifest)).toEqual({
      ...manifest.defaults,
      steps: 4,
      selfCondScale: 1.5,
      method: "ode",
      seed: 9,
    });
  });

  it("reads γ over t, and leaves it out by its own name", () => {
    const { changes } = readCommandLine(["--gamma-curve", "0=0.5+0.4=3"]);
    const curve = [
      [0, 0.5],
      [0.4, 3],
    ];
    expect(changes.gammaCurve).toEqual(curve);
    const parent = { settings: { ...manifest.defaults, gammaCurve: curve as [number, number][] } };
    expect(settingsOf(readCommandLine([]), manifest, parent).gammaCurve).toEqual(curve);
    expect(settingsOf(readCommandLine(["--gamma-curve", "none"]), manifest, parent).gammaCurve).toBeUndefined();
  });

  it.each([
    [["--stepz", "3"], "--stepz"],
    [["--steps"], "--steps"],
    [["--steps", "many"], '--steps is "many"'],
    [["--gamma", ""], "--gamma"],
    [["--json=yes"], "--json"],
    [["stray"], "stray"],
    [["--prompt-ids", "5,,6"], "--prompt-ids"],
    [["--prompt-ids", ""], "--prompt-ids"],
    [["--prompt-ids", "5", "--prompt", "a"], "exclude each other"],
    [["--batch", "2", "--trace", "x"], "--trace"],
    [["--batch", "2", "--hold", "1=a"], "--hold"],
    [["--batch", "2", "--from", "x", "--at", "1"], "--from"],
    [["--from", "x"], "--from needs the step"],
    [["--at", "3"], "--at"],
    [["--from", "x", "--at", "many"], '--at is "many"'],
    [["--from", "x", "--at", "1", "--prompt", "a"], "--from goes on with the prompt"],
    [["--gamma-curve", "0=1+0=2"], "--gamma-curve"],
    [["--towards", "8"], "--towards needs how far"],
    [["--weight", "0.5"], "--weight"],
    [["--towards", "8", "--weight", "half"], '--weight is "half"'],
    [["--from", "x", "--at", "1", "--towards", "8", "--weight", "1"], "--from goes on with the noise"],
    [["--from", "x", "--at", "1", "--back", "a"], "--from goes on with the noise"],
    [["--towards", "8", "--weight", "1", "--back", "a"], "--back starts from the noise of a text"],
    [["--batch", "2", "--back", "a"], "--back"],
    [["--best-of", "0"], "--best-of is 0"],
    [["--best-of", "65"], "--best-of is 65"],
    [["--best-of", "2.5"], "--best-of is 2.5"],
    [["--best-of", "many"], '--best-of is "many"'],
    [["--best-of", "2", "--batch", "2"], "--best-of"],
    [["--best-of", "2", "--batch", "1"], "--best-of"],
    [["--best-of", "2", "--prompt", "a", "--prompt", "b"], "--best-of"],
    [["--best-of", "2", "--dump", "x"], "--dump is of one run"],
    [["--best-of", "2", "--from", "x", "--at", "1"], "--from at one noise"],
    [["--best-of", "2", "--back", "a"], "--back at one noise"],
    [["--batch", "2", "--towards", "8", "--weight", "1"], "--towards"],
    [["--hold", "0=a"], '--hold is "0=a"'],
    [["--hold", "dog"], '--hold is "dog"'],
    [["--hold", "2="], '--hold is "2="'],
    [["--hold", "3= "], '--hold is "3= "'],
    [["--hold-ids", "2=a"], '--hold-ids is "a"'],
  ])("refuses %j in one line", (argv, named) => {
    expect(() => readCommandLine(argv)).toThrow(UsageError);
    expect(() => readCommandLine(argv)).toThrow(named);
    try {
      readCommandLine(argv);
    } catch (error) {
      expect((error as Error).message).not.toContain("\n");
    }
  });

  it.each<[string, string[], Manifest]>([
    ["batch is 0", ["--batch", "0"], manifest],
    ["takes no prompt", ["--prompt", "a"], manifest],
    ["takes no prompt", ["--prompt-ids", "5"], manifest],
    ["cfgScale is 2, but", ["--cfg", "2"], manifest],
    ["solver is multistep", ["--method", "sde", "--solver", "multistep"], manifest],
    ["needs a prompt", [], conditional],
    ["has 7 tokens", ["--prompt-ids", "5,6,7,8,9,10,11"], conditional],
    ["has 7 tokens", ["--prompt-ids", "5,6,7,8,9,10,11"], optional],
    ["cfgScale is 2, but", ["--cfg", "2"], optional],
    ["2 prompts for a batch of 3", ["--batch", "3", "--prompt-ids", "5", "--prompt-ids", "6"], conditional],
  ])("says before any loading: %s", (message, argv, model) => {
    expect(() => settingsOf(readCommandLine(argv), model)).toThrow(message);
  });

  it("leaves the model's own guidance out where there is no prompt to guide towards", () => {
    expect(optional.defaults.cfgScale).toBe(2);
    expect(settingsOf(readCommandLine([]), optional)).toEqual({ ...optional.defaults, cfgScale: 1 });
    expect(settingsOf(readCommandLine(["--cfg", "1"]), optional).cfgScale).toBe(1);
    expect(settingsOf(readCommandLine(["--prompt", "a"]), optional).cfgScale).toBe(2);
  });

  it("takes a blank prompt for none, and one for each of several samples for as many", () => {
    const blank = readCommandLine(["--prompt", " "]);
    expect(blank).toMatchObject({ batch: 1, prompts: [] });
    expect(settingsOf(blank, optional)).toEqual({ ...optional.defaults, cfgScale: 1 });
    expect(() => settingsOf(blank, conditional)).toThrow("needs a prompt");
    expect(readCommandLine(["--prompt", "", "--prompt", " "])).toMatchObject({ batch: 2, prompts: [] });
    expect(readCommandLine(["--from", "x", "--at", "1", "--prompt", ""])).toMatchObject({ prompts: [] });
    const guided = readCommandLine(["--prompt", "", "--cfg", "2"]);
    expect(() => settingsOf(guided, optional)).toThrow("cfgScale is 2, but there is no prompt");
  });

  it("counts the places of held words from 1, and takes an = within one", () => {
    const { held } = readCommandLine(["--hold", "3=dog", "--hold", " 12 = a = b", "--hold-ids", "1=5,6"]);
    expect(held).toEqual([
      { position: 2, word: "dog" },
      { position: 11, word: " a = b" },
      { position: 0, ids: [5, 6] },
    ]);
  });

  it("goes on by the settings of the run that it goes on from", () => {
    const parent = { settings: { ...manifest.defaults, seed: 77, steps: 5 } };
    const command = readCommandLine(["--from", "x.json", "--at", "2", "--method", "ode"]);
    expect(command.from).toEqual({ file: "x.json", step: 2 });
    expect(settingsOf(command, manifest, parent)).toEqual({ ...parent.settings, method: "ode" });
  });

  it("takes a prompt for each sample", () => {
    expect(readCommandLine(["--prompt", "a b", "--prompt", ""])).toMatchObject({ batch: 2, prompts: ["a b", ""] });
    expect(readCommandLine(["--prompt-ids", "5,6, 7"])).toMatchObject({ batch: 1, promptIds: [[5, 6, 7]] });
    expect(readCommandLine(["--batch", "3", "--prompt-ids=5"])).toMatchObject({ batch: 3, promptIds: [[5]] });
  });

  it.each([
    "- Hi, said Lily.",
    "-",
    "--",
    "---",
    "-h, she said",
    "-5 degrees",
    "--help me",
    "--jsonish",
    "-- said Lily",
    "–",
    "--prompt=a b",
    " --json",
    "=",
  ])("takes what follows --prompt as the text, however it begins: %j", (text) => {
    expect(readCommandLine(["--prompt", text])).toMatchObject({ prompts: [text], json: false, help: false });
    expect(readCommandLine([`--prompt=${text}`, "--json"])).toMatchObject({ prompts: [text], json: true });
    const several = ["--seed", "3", "--prompt", text, "--json", "--prompt", "b"];
    expect(readCommandLine(several)).toMatchObject({ prompts: [text, "b"], json: true, changes: { seed: 3 } });
  });

  it("writes half a surrogate pair in a prompt as every encoder does", () => {
    expect(readCommandLine(["--prompt", "the cat \ud83d sat"]).prompts).toEqual(["the cat \ufffd sat"]);
  });

  it("takes negative numbers for numbers, and leaves it to the setting to refuse them", () => {
    expect(readCommandLine(["--gamma", "-1"]).changes).toEqual({ gamma: -1 });
    expect(() => settingsOf(readCommandLine(["--gamma", "-1"]), manifest)).toThrow("gamma is -1");
    expect(() => readCommandLine(["--prompt-ids", "-5"])).toThrow('--prompt-ids is "-5"');
  });

  it.each([
    [["--prompt", "--json"], "--json"],
    [["--prompt", "--seed", "3"], "--seed"],
    [["--prompt", "--seed=3"], "--seed=3"],
    [["--steps", "-h"], "-h"],
  ])("asks for a value that was left out, and says how to give one that is called as an option: %j", (argv, option) => {
    expect(() => readCommandLine(argv)).toThrow(`${argv[0]} has no value: ${option} is an option itself.`);
    try {
      readCommandLine(argv);
    } catch (error) {
      expect((error as UsageError).action).toContain(`${argv[0]}=${option}`);
    }
  });

  it("lists every option in its help, with the model's defaults", () => {
    const help = helpText(manifest);
    const names = [
      ..."model method steps gamma gamma-curve cfg self-cond-cfg schedule solver rng seed length batch best-of".split(
        " ",
      ),
      ..."prompt prompt-ids towards weight back from at hold hold-ids json dump trace help".split(" "),
    ];
    for (const name of names) expect(help).toContain(`--${name}`);
    expect(help).toContain(`[${manifest.defaults.steps}]`);
    expect(help).toContain("[logit_normal]");
  });
});

describe("npm run generate", () => {
  const folder = mkdtempSync(join(tmpdir(), "elf-generate-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  it("prints one JSON object, the same for the same seed but for its seconds", async () => {
    const args = ["--model", TINY, "--json", "--steps", "4", "--seed", "3"];
    const [first, second] = await Promise.all([generate(...args), generate(...args)]);
    expect(first).toMatchObject({ code: 0, err: "" });
    const report = JSON.parse(first.out);
    expect(report).toMatchObject({
      model: "tiny-model",
      backend: "wasm",
      settings: { ...manifest.defaults, steps: 4, seed: 3 },
      // Nobody looks at the frames, so only the end is decoded.
      passes: { denoise: 4, decode: 1 },
    });
    expect(report.tokens).toHaveLength(16);
    expect(report.seconds).toBeGreaterThan(0);
    expect(JSON.parse(second.out).text).toBe(report.text);
  });

  it("writes a dump and a recorded run of the same text", async () => {
    const [dump, trace] = [join(folder, "dump.json"), join(folder, "trace.json")];
    const { code, out } = await generate("--model", TINY, "--steps", "4", "--dump", dump, "--trace", trace);
    expect(code).toBe(0);
    const { t, z0, z, tokens } = JSON.parse(readFileSync(dump, "utf8"));
    expect(t).toHaveLength(5);
    for (const array of [z0, z]) expect(shapeOf(array)).toEqual([1, 16, 32]);
    expect(shapeOf(tokens)).toEqual([1, 16]);
    const run = readTrace(readFileSync(trace, "utf8"));
    expect(run.trajectory.frames).toHaveLength(5);
    expect(Array.from(run.trajectory.frames[4]?.holds.tokens ?? [])).toEqual(tokens[0]);
    expect(out.trim()).toBe(run.text);
  });

  it("writes to a prompt for each sample, and dumps what it took", async () => {
    const dump = join(folder, "batch.json");
    const model = ["--model", "test/fixtures/tiny-conditional", "--method", "ode", "--steps", "3", "--json"];
    const prompts = ["--prompt-ids", "5,6", "--prompt-ids", "7,8,9", "--cfg", "2"];
    const { code, out, err } = await generate(...model, ...prompts, "--solver", "multistep", "--dump", dump);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    const report = JSON.parse(out);
    const { length } = report.settings;
    expect(report.settings).toMatchObject({ batch: 2, cfgScale: 2, solver: "multistep", steps: 3 });
    expect(report.promptIds).toEqual([
      [5, 6],
      [7, 8, 9],
    ]);
    // With and without the prompt at each step.
    expect(report.passes).toEqual({ denoise: 6, decode: 1 });
    expect(report.texts).toHaveLength(2);
    expect(report.text).toEqual(report.texts);
    expect(shapeOf(report.tokens)).toEqual([2, length]);
    const written = JSON.parse(readFileSync(dump, "utf8"));
    expect(written.tokens).toEqual(report.allTokens);
    expect(shapeOf(written.z)).toEqual([2, length, 16]);
    // The noise of a row differs, the prompt stays from the start to the end.
    expect(written.z[1].slice(0, 3)).toEqual(written.z0[1].slice(0, 3));
    expect(written.z[1][3]).not.toEqual(written.z0[1][3]);
  });

  it("records what was written to a prompt, the prompt apart", async () => {
    const trace = join(folder, "prompted.json");
    const model = ["--model", "test/fixtures/tiny-conditional", "--steps", "2", "--prompt", "garden nobody"];
    const { code, out } = await generate(...model, "--trace", trace);
    expect(code).toBe(0);
    const { trajectory, text } = readTrace(readFileSync(trace, "utf8"));
    expect(trajectory.prompt).toEqual({ text: "garden nobody" });
    // maxLength − maxInputLength of them.
    expect(trajectory.frames[2]?.holds.tokens).toHaveLength(10);
    expect(out.trim()).toBe(text);
  });

  it("starts between the noise of two seeds, and says so in its recording", async () => {
    const folder = mkdtempSync(join(tmpdir(), "elf-"));
    const file = join(folder, "run.json");
    const args = ["--model", TINY, "--steps", "4", "--towards", "8", "--weight", "0.25", "--json"];
    const first = await generate(...args, "--trace", file);
    expect(first.code).toBe(0);
    const report = JSON.parse(first.out);
    expect(report.towards).toEqual({ seed: 8, weight: 0.25 });
    const { trajectory, text } = readTrace(readFileSync(file, "utf8"));
    expect(trajectory.towards).toEqual(report.towards);
    expect(text).toBe(report.text);
    const again = await generate("--model", TINY, "--from", file, "--at", "0", "--json");
    expect(JSON.parse(again.out).allTokens).toEqual(report.allTokens);
    rmSync(folder, { recursive: true });
    const refused = await generate("--model", TINY, "--towards", "8", "--weight", "2");
    expect(refused).toMatchObject({ code: 2, err: expect.stringContaining("The weight of the other seed is 2.") });
  });

  it("starts from the noise of a text, and is as long as that", async () => {
    const args = ["--model", TINY, "--steps", "3", "--method", "ode", "--back", "the cat", "--json"];
    const report = JSON.parse((await generate(...args)).out);
    expect(report.back).toBe("the cat");
    expect(report.settings.length).toBe(report.allTokens[0].length);
    expect(report.settings.length).toBeLessThan(16);
    expect(JSON.parse((await generate(...args)).out).allTokens).toEqual(report.allTokens);
  });

  it.each([
    // As `elf sample` writes with the same options: export/tests/test_reconstruct.py.
    [
      ["tiny-model", "--method", "sde", "--gamma", "1"],
      [49, 49, 30, 81, 30],
    ],
    [
      ["tiny-conditional", "--method", "ode", "--cfg", "2", "--prompt", "a dog"],
      [12, 26, 12, 12, 12, 93, 72, 72, 72, 64],
    ],
  ])("starts from the noise of a text as elf does: %j", async ([model, ...options], tokens) => {
    const args = ["--model", `test/fixtures/${model}`, ...options, "--steps", "5", "--seed", "3", "--json"];
    const { out } = await generate(...args, "--back", "the cat sat");
    expect(JSON.parse(out).allTokens).toEqual([tokens]);
  });

  it("keeps the text of several seeds that the model is surest of, and records that run frame by frame", async () => {
    const file = join(folder, "surest.json");
    const args = ["--model", TINY, "--steps", "3", "--hold-ids", "2=64", "--json"];
    const several = await generate(...args, "--seed", "4294967294", "--best-of", "4", "--trace", file);
    expect(several).toMatchObject({ code: 0, err: "" });
    const report = JSON.parse(several.out);
    const { tries, ...best } = report.bestOf;
    expect(tries.map(({ seed }: { seed: number }) => seed)).toEqual([4294967294, 4294967295, 0, 1]);
    const certain = tries.map(({ uncertainty }: { uncertainty: number }) => uncertainty);
    expect(new Set(certain).size).toBe(4);
    expect(best.uncertainty).toBe(Math.min(...certain));
    expect(best).toEqual(tries[certain.indexOf(best.uncertainty)]);
    expect(report.settings.seed).toBe(best.seed);

    const alone = JSON.parse((await generate(...args, "--seed", String(best.seed))).out);
    expect(report.tokens).toEqual(alone.tokens);
    expect(alone).not.toHaveProperty("bestOf");
    const { trajectory, text } = readTrace(readFileSync(file, "utf8"));
    expect(trajectory.settings.seed).toBe(best.seed);
    expect(trajectory.frames).toHaveLength(4);
    expect(text).toBe(report.text);
    const { tokens, entropy } = trajectory.frames[3]?.holds ?? { tokens: [], entropy: [] };
    const end = Array.from(tokens).indexOf(manifest.tokens.eos);
    const own = Array.from(entropy).slice(0, end < 0 ? undefined : end);
    // A recording rounds its entropies.
    expect(own.reduce((sum, nats) => sum + nats, 0) / own.length).toBeCloseTo(best.uncertainty, 1);
  });

  it("reads only the end of each seed's run where none is recorded, and prints the text alone", async () => {
    const args = ["--model", TINY, "--steps", "3", "--seed", "3"];
    const [json, plain, one] = await Promise.all([
      generate(...args, "--best-of", "2", "--json"),
      generate(...args, "--best-of", "2"),
      generate(...args, "--best-of", "1", "--json"),
    ]);
    const report = JSON.parse(json.out);
    expect(report.passes).toEqual({ denoise: 6, decode: 2 });
    expect(plain).toEqual({ code: 0, out: `${report.text}\n`, err: "" });
    expect(JSON.parse(one.out).bestOf.tries).toEqual(report.bestOf.tries.slice(0, 1));
  });

  it("goes on from a step of a recorded run: the same where nothing is changed, and otherwise only after it", async () => {
    const [trace, same, other] = ["whole", "same", "other"].map((name) => join(folder, `${name}.json`)) as [
      string,
      string,
      string,
    ];
    const model = ["--model", TINY, "--steps", "6", "--seed", "5"];
    const whole = await generate(...model, "--trace", trace);
    const from = ["--model", TINY, "--from", trace, "--at", "3"];
    const again = await generate(...from, "--trace", same);
    expect(again).toEqual(whole);
    const parent = readTrace(readFileSync(trace, "utf8"));
    const fork = readTrace(readFileSync(same, "utf8"));
    expect(fork.trajectory.frames).toEqual(parent.trajectory.frames);
    expect(fork.trajectory.times).toEqual(parent.trajectory.times);
    expect(fork.trajectory.from).toEqual({ run: { settings: parent.trajectory.settings }, step: 3 });

    const changed = await generate(...from, "--method", "ode", "--hold-ids", "4=64,93", "--json", "--trace", other);
    expect(changed).toMatchObject({ code: 0, err: "" });
    const { trajectory } = readTrace(readFileSync(other, "utf8"));
    expect(trajectory.frames.slice(0, 3)).toEqual(parent.trajectory.frames.slice(0, 3));
    expect(Array.from(trajectory.frames[6]?.holds.tokens.slice(3, 5) ?? [])).toEqual([64, 93]);
    expect(trajectory.held).toEqual([
      { position: 3, token: 64 },
      { position: 4, token: 93 },
    ]);
    // And from there once more, over the recorded fork.
    const third = await generate("--model", TINY, "--from", other, "--at", "5", "--json");
    expect(third.code).toBe(0);
    expect(JSON.parse(third.out).settings.method).toBe("ode");
    const early = await generate("--model", TINY, "--from", other, "--at", "6");
    expect(early).toMatchObject({ code: 2, out: "" });
    expect(early.err).toContain("from step 6");
    const foreign = await generate("--model", "test/fixtures/tiny-two-pass", "--from", trace, "--at", "1");
    expect(foreign.err).toContain("a run of the model tiny-model");
    const none = await generate("--model", TINY, "--from", join(folder, "none.json"), "--at", "1");
    expect(none).toMatchObject({ code: 2, out: "" });
  });

  it("writes without a prompt what JAX wrote, to the last position", async () => {
    interface Run {
      settings: { seed: number; steps: number; selfCondScale: number; length: number };
      batch: number;
      promptIds: number[][];
      tokens: number[][];
    }
    const { runs } = JSON.parse(readFileSync("test/fixtures/tiny-two-pass-run.json", "utf8")) as { runs: Run[] };
    const free = runs.find(({ batch, promptIds }) => batch === 1 && promptIds.length === 0);
    expect(free?.settings).toMatchObject({ seed: 7, steps: 8, selfCondScale: 1, length: 16 });
    const model = ["--model", "test/fixtures/tiny-two-pass", "--method", "ode", "--seed", "7", "--steps", "8"];
    const { code, out } = await generate(...model, "--gamma", "0", "--self-cond-cfg", "1", "--json");
    expect(code).toBe(0);
    const report = JSON.parse(out);
    expect(report.tokens).toEqual(free?.tokens[0]);
    expect(report.settings.cfgScale).toBe(1);
    expect(report.passes).toEqual({ denoise: 8, decode: 1 });
    expect(report).not.toHaveProperty("promptIds");
  });

  it("reads a prompt that is a text", async () => {
    const model = ["--model", "test/fixtures/tiny-conditional", "--method", "ode", "--steps", "1", "--json"];
    const { out } = await generate(...model, "--prompt", "a");
    const report = JSON.parse(out);
    expect(report.promptIds[0].length).toBeGreaterThan(0);
    expect(report.text).toBe(report.texts[0]);
    expect(report.tokens).toEqual(report.allTokens[0]);
    // What is blank at its ends does not count, as in the page's box and in `elf sample`.
    const blank = await generate(...model, "--prompt", "\ufeff a\u3000");
    expect(JSON.parse(blank.out).promptIds).toEqual(report.promptIds);
  });

  it.each([
    [["--bad"], "--bad"],
    [["--model", TINY, "--steps", "0"], "steps is 0"],
    [["--model", "no-such-model"], "no-such-model"],
    [["--model", TINY, "--trace", "nowhere/run.json"], "nowhere/run.json cannot be written"],
    [["--model", TINY, "--dump", "src"], "src is a folder"],
  ])("ends %j with one line and exit code 2", async (args, named) => {
    const { code, out, err } = await generate(...args);
    expect(code).toBe(2);
    expect(out).toBe("");
    expect(err).toContain(named);
    expect(err.trim().split("\n")).toHaveLength(1);
  });

  it("helps, and ends well", async () => {
    const { code, out } = await generate("--help", "--model", TINY);
    expect(code).toBe(0);
    expect(out).toContain("Tiny");
  });
});

/** How many lists in how many lists. */
function shapeOf(value: unknown): number[] {
  return Array.isArray(value) ? [value.length, ...shapeOf(value[0])] : [];
}
