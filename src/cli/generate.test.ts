import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { parseManifest } from "../model/manifest";
import { readTrace } from "../model/trace";
import { helpText, readCommandLine, settingsOf, UsageError } from "./options";

const TINY = "test/fixtures/tiny-model";
const manifest = parseManifest(readFileSync(`${TINY}/manifest.json`, "utf8"));

interface Finished {
  code: number;
  out: string;
  err: string;
}

/** Runs the command as `npm run generate` does, in a process of its own. */
function generate(...args: string[]): Promise<Finished> {
  return new Promise((resolve) => {
    execFile(process.execPath, ["--import", "tsx", "src/cli/generate.ts", ...args], (error, out, err) =>
      resolve({ code: error ? Number(error.code) : 0, out, err }),
    );
  });
}

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

  it.each([
    [["--stepz", "3"], "--stepz"],
    [["--steps"], "--steps"],
    [["--steps", "many"], '--steps is "many"'],
    [["--gamma", ""], "--gamma"],
    [["--json=yes"], "--json"],
    [["stray"], "stray"],
  ])("refuses %j in one line", (argv, named) => {
    expect(() => readCommandLine(argv)).toThrow(UsageError);
    expect(() => readCommandLine(argv)).toThrow(named);
    try {
      readCommandLine(argv);
    } catch (error) {
      expect((error as Error).message).not.toContain("\n");
    }
  });

  it("lists every option in its help, with the model's defaults", () => {
    const help = helpText(manifest);
    const names = "model method steps gamma self-cond-cfg schedule rng seed length json dump trace help".split(" ");
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
    expect(z0).toHaveLength(16 * 32);
    expect(z).toHaveLength(16 * 32);
    const run = readTrace(readFileSync(trace, "utf8"));
    expect(run.trajectory.frames).toHaveLength(5);
    expect(Array.from(run.trajectory.frames[4]?.holds.tokens ?? [])).toEqual(tokens);
    expect(out.trim()).toBe(run.text);
  });

  it.each([
    [["--bad"], "--bad"],
    [["--model", TINY, "--steps", "0"], "steps is 0"],
    [["--model", "no-such-model"], "no-such-model"],
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
