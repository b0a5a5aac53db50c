import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { fetchJudge, type JudgeFiles } from "../delivery/judgeFiles";
import type { ShippedJudge } from "../delivery/shipped";
import { CancelledError, ConditionError } from "../flow/errors";
import { SessionError } from "./graphs";
import { Judge } from "./judge";
import { type Runtime, startWasm } from "./runtime";

interface JudgedText {
  readonly text: string;
  readonly source: string;
  readonly nats: number;
  readonly tokens: number;
  readonly entropy: number;
}

/** Written by export/tests/judged_texts.py. */
const JUDGED: readonly JudgedText[] = JSON.parse(
  await readFile(new URL("../../test/fixtures/judged-texts.json", import.meta.url), "utf8"),
);

const TRANSLATED: readonly (JudgedText & { readonly written: readonly number[] })[] = JSON.parse(
  await readFile(new URL("../../test/fixtures/judged-translations.json", import.meta.url), "utf8"),
);

function filesOf(name: ShippedJudge): Promise<JudgeFiles> {
  return fetchJudge({
    baseUrl: "https://host.example/judge/",
    fetchFile: async (url) => {
      const path = url.slice("https://host.example/judge/".length);
      return new Response(await readFile(new URL(`../../models/${name}/${path}`, import.meta.url)));
    },
  });
}

async function openShipped(name: ShippedJudge): Promise<Judge> {
  return Judge.open(await filesOf(name), await startWasm());
}

let judge: Judge;

describe("the shipped judge of stories", () => {
  beforeAll(async () => {
    judge = await openShipped("stories-judge");
  });
  afterAll(() => judge?.dispose());

  it.each(JUDGED)("says of “$text” after “$source” what Python says", async ({ text, source, ...expected }) => {
    const { nats, tokens, entropy, perplexity } = await judge.judge(text, source);
    expect(tokens).toBe(expected.tokens);
    expect(nats).toBeCloseTo(expected.nats, 2);
    expect(entropy).toBeCloseTo(expected.entropy, 6);
    if (tokens === 0) expect(perplexity).toBeNull();
    else expect(Math.log(perplexity ?? 0)).toBeCloseTo(expected.nats / expected.tokens, 4);
  });

  it("writes a text again from its seed, and another from another; of what it writes it expected every token", async () => {
    const request = { source: "Once upon a time", seed: 5, length: 40 };
    const heard: number[] = [];
    const written = await judge.write(request, ({ token }) => heard.push(token));
    expect(written.text.split(" ").length).toBeGreaterThan(5);
    expect(heard).toEqual(written.drawn.map(({ token }) => token));
    expect(written.given.length + written.drawn.length).toBeLessThanOrEqual(40);
    expect((await judge.write(request)).text).toBe(written.text);
    expect((await judge.write({ ...request, seed: 6 })).text).not.toBe(written.text);
    for (const { token, topTokens, topProbabilities, entropy } of written.drawn) {
      expect(token).not.toBe(judge.manifest.eos);
      expect(topTokens).toHaveLength(5);
      expect([...topProbabilities].sort((a, b) => b - a)).toEqual(topProbabilities);
      expect(entropy).toBeGreaterThan(0);
    }
  });

  it("remembers what came before: read token by token a text is as likely as read whole", async () => {
    let compared = 0;
    for (let seed = 1; seed < 60 && compared < 3; seed++) {
      const { given, drawn, text } = await judge.write({ source: "Once upon a time", seed, length: 16 });
      const tokens = drawn.map(({ token }) => token);
      // Drawn freely, the same letters may be other tokens than they are read as.
      if (judge.tokenizer.encode(text).join() !== tokens.join()) continue;
      const drawnNats = drawn.reduce((sum, { probability }) => sum - Math.log(probability), 0);
      const source = judge.tokenizer.decode(given);
      const whole = await judge.judge(text, source);
      const last = await judge.judge("", `${source} ${text}`);
      expect(whole.nats - last.nats).toBeCloseTo(drawnNats, 2);
      compared++;
    }
    expect(compared).toBe(3);
  });

  it("goes on from nothing not at all, and stops when it is told to", async () => {
    await expect(judge.write({ source: "", seed: 1, length: 40 })).rejects.toThrow(ConditionError);
    await expect(judge.write({ source: "Once upon a time", seed: 1, length: 2 })).rejects.toThrow(ConditionError);
    const stop = new AbortController();
    const request = { source: "Once upon a time", seed: 1, length: 90 };
    await expect(judge.write(request, () => stop.abort(), stop.signal)).rejects.toThrow(CancelledError);
  });
});

describe("the shipped translator", () => {
  beforeAll(async () => {
    judge = await openShipped("translate-yardstick");
  });
  afterAll(() => judge?.dispose());

  it.each(TRANSLATED)("says of “$text” for “$source” what Python says, and writes what it writes", async (case_) => {
    const { text, source, nats, tokens, entropy, written } = case_;
    const judgement = await judge.judge(text, source);
    expect(judgement.tokens).toBe(tokens);
    expect(judgement.nats).toBeCloseTo(nats, 2);
    expect(judgement.entropy).toBeCloseTo(entropy, 6);
    const { drawn, given } = await judge.write({ source, seed: 1, length: 96 });
    expect(drawn.map(({ token }) => token)).toEqual(written);
    expect(given).toEqual(judge.tokenizer.encode(source));
  });

  it("reads a long answer as it wrote it, whatever the seed", async () => {
    const request = { source: "Ich werde Tom eine Chance geben.", seed: 1, length: 96 };
    const { drawn, text } = await judge.write(request);
    expect((await judge.write({ ...request, seed: 2 })).text).toBe(text);
    const nats = drawn.reduce((sum, { probability }) => sum - Math.log(probability), 0);
    const judged = await judge.judge(text, request.source);
    // The end, which is judged too, was likely.
    expect(judged.nats - nats).toBeGreaterThan(-1e-3);
    expect(judged.nats - nats).toBeLessThan(1);
  });

  it("neither judges nor writes without something to translate, and writes no more than there is room for", async () => {
    await expect(judge.judge("A dog", "")).rejects.toThrow(ConditionError);
    await expect(judge.write({ source: "", seed: 1, length: 40 })).rejects.toThrow(ConditionError);
    const source = "Ich werde Tom eine Chance geben.";
    const { given } = await judge.write({ source, seed: 1, length: 96 });
    const { drawn } = await judge.write({ source, seed: 1, length: given.length + 2 });
    expect(drawn).toHaveLength(2);
  });
});

it.each<[string, boolean, (files: JudgeFiles) => JudgeFiles]>([
  ["whose reader cannot be opened", true, (files) => files],
  ["whose tokenizer is none", false, (files) => ({ ...files, tokenizer: "{}" })],
])("a judge %s gives back what was opened for it", async (_, isBegun, change) => {
  const writer = {};
  const releaseSession = vi.fn(async () => {});
  const release = vi.fn();
  const createSession = vi.fn().mockResolvedValueOnce(writer).mockRejectedValue(new SessionError("No kernel.", ""));
  const runtime = { createSession, releaseSession, release } as unknown as Runtime;
  await expect(Judge.open(change(await filesOf("translate-yardstick")), runtime)).rejects.toThrow();
  expect(releaseSession.mock.calls).toEqual(isBegun ? [[writer]] : []);
  expect(release).toHaveBeenCalledOnce();
});
