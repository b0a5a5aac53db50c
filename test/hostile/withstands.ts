/** What every reader of files from strangers is held to, whatever it is given. */
import fc from "fast-check";
import { expect } from "vitest";
import { ElfError } from "../../src/flow/errors";

/** Cases of each kind: few in `npm test`, 10⁵ altogether by `npm run hostile`. */
export const CASES = Number(process.env.ELF_HOSTILE_CASES ?? 250);

/** Other cases, or those of a report again. */
const SEED = Number(process.env.ELF_HOSTILE_SEED ?? 7);

/**
 * Longest that one input may be worked on. In `npm test` ten times as long: a busy machine must not fail it, and what hangs
 * does so even then.
 */
const MOST_SECONDS = process.env.ELF_HOSTILE_CASES === undefined ? 20 : 2;

/** Memory that an input may have reserved: so much for each of its bytes, and so much in any case. */
const MOST_TIMES_ITS_SIZE = 200;
const LEAST_BOUND = 128e6;

interface Reader<Input, Read> {
  readonly inputs: fc.Arbitrary<Input>;
  /** Reads an input, or refuses it by an error with a name. */
  read(input: Input): Read | Promise<Read>;
  /** What has to be true of all that was read. */
  holds?(read: Read, input: Input): void | Promise<void>;
}

/**
 * Holds a reader to this: each input is read or refused by name with what to do next, within 2 seconds, within a bound of
 * memory, and leaves JavaScript's own objects as they were.
 */
export async function withstands<Input extends string | Uint8Array, Read>({
  inputs,
  read,
  holds,
}: Reader<Input, Read>): Promise<{ readonly read: number; readonly refusals: ReadonlySet<string> }> {
  const refusals = new Set<string>();
  let understood = 0;
  await fc.assert(
    fc.asyncProperty(inputs, async (input) => {
      const before = memory();
      const started = performance.now();
      let result: { readonly value: Read } | undefined;
      try {
        result = { value: await read(input) };
      } catch (error) {
        refusals.add(refusalOf(error));
      }
      const seconds = (performance.now() - started) / 1000;
      const reserved = memory() - before;
      expect(seconds, "seconds that one input took").toBeLessThan(MOST_SECONDS);
      const bound = Math.max(LEAST_BOUND, MOST_TIMES_ITS_SIZE * input.length);
      expect(reserved, `bytes reserved for ${input.length}`).toBeLessThan(bound);
      expect(({} as { x?: unknown }).x).toBeUndefined();
      if (!result) return;
      understood++;
      await holds?.(result.value, input);
    }),
    {
      numRuns: CASES,
      seed: SEED,
      // Shrinking what takes seconds takes hours.
      endOnFailure: true,
      reporter: ({ counterexample, errorInstance, numRuns }) => {
        if (!counterexample) return;
        const [input] = counterexample;
        const shown = typeof input === "string" ? JSON.stringify(input) : Buffer.from(input).toString("base64");
        const words = errorInstance instanceof Error ? errorInstance.message : String(errorInstance);
        throw new Error(`Case ${numRuns} of seed ${SEED}: ${words}\n${shown.slice(0, 300)} … ${shown.slice(-300)}`, {
          cause: errorInstance,
        });
      },
    },
  );
  return { read: understood, refusals };
}

/** The name of a refusal; any other error is thrown on, as a fault. */
function refusalOf(error: unknown): string {
  if (!(error instanceof ElfError)) throw error;
  expect(error.message.length, "words of a refusal").toBeLessThan(2000);
  expect(error.action, "what to do next").toMatch(/\w/);
  return error.code;
}

function memory(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
