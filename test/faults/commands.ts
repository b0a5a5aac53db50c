/** The command `elf`, killed in the middle of its work, or on a disk that is full. */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect } from "@playwright/test";
import { NastyServer } from "../browser/nasty-server";
import { lasting, type Survival, scene } from "./fault";

const EXPORT = join(import.meta.dirname, "../../export");

/** What `npm run faults` finds; without it, that of the package's own environment. */
const PYTHON = process.env.PYTHON_PROGRAM ?? join(EXPORT, ".venv/bin/python");

const JAX_CACHE = join(EXPORT, ".pytest_cache/d/jax");

/** Every file ends at so many bytes, as on a full disk. */
const LIMITED = `import resource, signal, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
from elf.cli import main
sys.exit(main(sys.argv[1:]))`;

interface Running {
  readonly process: ChildProcess;
  /** Its exit code, null where it was killed, and all that it said. */
  readonly end: Promise<{ code: number | null; said: string }>;
}

function python(words: readonly string[], env: Record<string, string> = {}): Running {
  // Most of it is compiled, again and again: as export/tests/conftest.py has it.
  const cache = { JAX_COMPILATION_CACHE_DIR: JAX_CACHE, JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS: "0" };
  const quick = { JAX_PLATFORMS: "cpu", JAX_DISABLE_MOST_OPTIMIZATIONS: "1", ...cache };
  const started = spawn(PYTHON, words, { cwd: EXPORT, env: { ...process.env, ...quick, ...env } });
  let said = "";
  for (const stream of [started.stdout, started.stderr]) {
    stream.on("data", (words) => {
      said += words;
    });
  }
  return {
    process: started,
    end: new Promise((resolve) => started.once("close", (code) => resolve({ code, said }))),
  };
}

const elf = (...words: string[]) => python(["-m", "elf.cli", ...words]);

async function done({ end }: Running): Promise<string> {
  const { code, said } = await end;
  expect(code, said).toBe(0);
  return said;
}

/** Ends a program as `kill -9` does, when something has come true. */
async function killedWhen(running: Running, isTrue: () => boolean): Promise<void> {
  await expect.poll(() => isTrue() || running.process.exitCode !== null, { intervals: [20] }).toBe(true);
  running.process.kill("SIGKILL");
  const { code, said } = await running.end;
  expect(code, `it was over before it was killed: ${said}`).toBeNull();
}

/** The named error that a command ends with, as a person reads it. */
async function refused({ end }: Running): Promise<string> {
  const { code, said } = await end;
  expect(code, said).toBe(2);
  // The library says a good deal more, before and behind.
  const [, error = "", what = "", advice = ""] =
    /^elf: (\w+Error): (.+)\n(.+?[.!?])(?:Traceback .*)?$/m.exec(said) ?? [];
  expect(advice, said.slice(-2000)).toMatch(/\w/);
  const words = `${what} ${advice}`.replace(/checkpoint_[^2]\b/, "checkpoint_…").replace(/: [A-Z_]+: .*(?=; )/, ": …");
  return `\`${error}\`: “${lasting(words)}”`;
}

const rowsIn = (file: string) =>
  existsSync(file)
    ? readFileSync(file, "utf8")
        .split("\n")
        .filter((line) => line.endsWith("}"))
        .map((line) => JSON.parse(line) as { step: number; loss?: number })
    : [];

const checkpoints = (out: string) =>
  existsSync(join(out, "checkpoints"))
    ? readdirSync(join(out, "checkpoints")).filter((name) => /^checkpoint_\d+$/.test(name))
    : [];

const train = (folder: string, out: string, ...words: string[]) => [
  ...["train", "--config", join(folder, "toy.yml"), `out=${out}`],
  ...["checkpoints.steps=2", "flow.decoder_prob=0", "optimizer.optimizer=adamw", ...words],
];

async function killedTraining(folder: string): Promise<Survival> {
  const out = join(folder, "killed");
  const log = join(out, "metrics.jsonl");
  await killedWhen(
    elf(...train(folder, out, "steps=100000")),
    () => checkpoints(out).length > 0 && rowsIn(log).length > 5,
  );
  const reached = rowsIn(log).at(-1)?.step ?? 0;
  const saved = Math.max(...checkpoints(out).map((name) => Number(name.replace("checkpoint_", ""))));
  expect(reached - saved, "steps that are lost").toBeLessThanOrEqual(4);
  const said = await done(elf(...train(folder, out, `steps=${reached + 2}`)));
  expect(said).toMatch(/resuming after step \d+/);
  const steps = rowsIn(log).map(({ step }) => step);
  expect(steps).toEqual(Array.from({ length: reached + 2 }, (_, i) => i + 1));
  return {
    sees: "nothing: the program is gone",
    keeps: "the last checkpoint, at most two of their intervals old, and its figures",
    goesOn: "the same command says “resuming after step …”, goes on from it, and lists every step once",
  };
}

async function fullDisk(folder: string): Promise<Survival> {
  const out = join(folder, "full");
  const words = (steps: number) => train(folder, out, "elf.hidden_size=64", `steps=${steps}`);
  await done(elf(...words(2)));
  const before = checkpoints(out);
  expect(before).toEqual(["checkpoint_2"]);
  const sees = await refused(python(["-c", LIMITED, ...words(6)]));
  expect(checkpoints(out)).toEqual(before);
  await done(elf(...words(6)));
  expect(rowsIn(join(out, "metrics.jsonl"))).toHaveLength(6);
  return {
    sees,
    keeps: "the last checkpoint, unchanged",
    goesOn: "with room made, the same command goes on from it to its end",
  };
}

async function killedExport(folder: string): Promise<Survival> {
  const place = join(folder, "exports");
  const out = join(place, "toy");
  const words = ["export", join(folder, "model"), "--out", out, "--steps", "2"];
  const begun = () => existsSync(place) && readdirSync(place, { recursive: true }).length > 3;
  await killedWhen(elf(...words), begun);
  expect(existsSync(out), "half a model").toBe(false);
  const scratch = readdirSync(place).length > 0 ? ", but a hidden folder beside its place" : "";
  await done(elf(...words));
  await done(elf("check", out));
  return {
    sees: "nothing: the program is gone",
    keeps: `the model that was to be exported; of the other nothing that could be taken for it${scratch}`,
    goesOn: "the same command exports it, and `elf check` finds it right",
  };
}

/** Large enough to come in several of the client's pieces, of ten megabytes each. */
const WEIGHTS = Buffer.alloc(25_000_000, "weights");

async function killedDownload(folder: string): Promise<Survival> {
  const commit = "c0ffee".padEnd(40, "0");
  const sha256 = createHash("sha256").update(WEIGHTS).digest("hex");
  const [file, api] = [`a/b/resolve/${commit}/checkpoint_9`, "api/models/a/b"];
  const lfs = { sha256, size: WEIGHTS.length, pointerSize: 130 };
  const told = { id: "a/b", sha: commit, siblings: [{ rfilename: "checkpoint_9", size: WEIGHTS.length, lfs }] };
  const hub = new NastyServer(new Map([[file, WEIGHTS]]));
  const address = await hub.start();
  const manners = (isWell: boolean) =>
    hub.treat(({ path, turn }) => {
      if (path.startsWith(api)) return { odd: { status: 200, body: Buffer.from(JSON.stringify(told)) } };
      // The first request asks for its headers alone.
      return isWell || turn === 0 ? {} : { stallAfter: 15_000_000 };
    });
  const out = join(folder, "fetched");
  const fetch = () => {
    const env = { HF_ENDPOINT: address.replace(/\/$/, ""), HF_HUB_OFFLINE: "0", HF_HUB_DISABLE_TELEMETRY: "1" };
    return python(["-m", "elf.cli", "fetch", "a/b", "--out", out], env);
  };
  const partial = () => (existsSync(out) ? readdirSync(out).find((name) => name.endsWith(".partial")) : undefined);
  const size = () => statSync(join(out, partial() ?? ".")).size;
  try {
    manners(false);
    await killedWhen(fetch(), () => partial() !== undefined && size() >= 10_000_000);
    const kept = size();
    expect(existsSync(join(out, "checkpoint_9")), "half a file").toBe(false);
    manners(true);
    await done(fetch());
    expect(hub.asked.map(({ range }) => range)).toContain(`bytes=${kept}-`);
    expect(readFileSync(join(out, "checkpoint_9")).equals(WEIGHTS)).toBe(true);
  } finally {
    await hub.stop();
  }
  return {
    sees: "nothing: the program is gone",
    keeps: "what has come of the file, under a name that says so (`.partial`)",
    goesOn: "the same command asks for the rest alone, and the file has its SHA-256",
  };
}

export const commands = scene(
  "elf",
  "command",
  async ({ folder }) => {
    const made = folder();
    await done(python([join(import.meta.dirname, "toy.py"), made]));
    return made;
  },
  {
    "`kill -9` in a training": killedTraining,
    "`kill -9` in an export": killedExport,
    "`kill -9` in a download": killedDownload,
    "a disk that fills up in a training": fullDisk,
  },
);
