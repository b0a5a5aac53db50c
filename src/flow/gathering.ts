/**
 * Several runs at once by one network: each asks as if it were alone, and what all of them wait for is asked as one batch.
 * A GPU takes little longer for a batch than for one sample, and gives each the answer that it would have had alone.
 */
import type { DenoiseInput, Encoder, Network, PerSample, Reading } from "./network";
import { joined } from "./rows";

/** Asks the network when every run waits for an answer or has ended. */
export class Gathering {
  /** What the runs ask in place of the network. Prompts are read at once. */
  readonly network: Network & Encoder;
  readonly #announcements: Questions<Announcement, undefined>;
  readonly #predictions: Questions<DenoiseInput, Float32Array>;
  readonly #readings: Questions<Latents, Reading[]>;

  /** @param runs how many ask; each has to `leave` when it asks no more, however it ends. */
  constructor(
    asked: Network & Encoder,
    private runs: number,
  ) {
    this.#announcements = new Questions(
      () => "",
      (runs) => announceAll(asked, runs),
    );
    this.#predictions = new Questions(
      ({ z, batch, t, selfCondScale }) =>
        JSON.stringify([z.length / batch, asked.denoiseMixed ? null : [t, selfCondScale]]),
      (inputs) => predictAll(asked, inputs),
    );
    this.#readings = new Questions(
      ({ latents }) => String(latents[0]?.length),
      (inputs) => readAll(asked, inputs),
    );
    this.network = {
      latentSize: asked.latentSize,
      takesSelfCondScale: asked.takesSelfCondScale,
      prepare: (times, selfCondScale) => this.#ask(this.#announcements, { times, selfCondScale }),
      denoise: (input) => this.#ask(this.#predictions, input),
      decode: (latents, selfCondScale) => this.#ask(this.#readings, { latents, selfCondScale }),
      encode: (sources) => asked.encode(sources),
    };
  }

  /** One of the runs has ended: the others do not wait for what it might ask. */
  leave(): void {
    this.runs--;
    this.#answerWhenAllWait();
  }

  #ask<Input, Answer>(questions: Questions<Input, Answer>, input: Input): Promise<Answer> {
    const answer = questions.ask(input);
    this.#answerWhenAllWait();
    return answer;
  }

  #answerWhenAllWait(): void {
    const kinds = [this.#announcements, this.#predictions, this.#readings];
    const waiting = kinds.reduce((sum, { count }) => sum + count, 0);
    if (waiting < this.runs) return;
    // Taken before the first is answered: whoever has an answer asks on.
    const batches = kinds.flatMap((kind) => kind.take());
    void (async () => {
      for (const answer of batches) await answer();
    })();
  }
}

interface Announcement {
  readonly times: readonly number[];
  readonly selfCondScale: PerSample;
}

interface Latents {
  readonly latents: readonly Float32Array[];
  readonly selfCondScale: PerSample;
}

/** Questions of one kind that wait for their answers. */
class Questions<Input, Answer> {
  #waiting: Question<Input, Answer>[] = [];

  constructor(
    /** The same text for those that can be asked as one batch. */
    private readonly batchOf: (input: Input) => string,
    /** Asks a batch; the answers come in the same order. */
    private readonly answer: (inputs: readonly Input[]) => Promise<readonly Answer[]>,
  ) {}

  get count(): number {
    return this.#waiting.length;
  }

  ask(input: Input): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ input, resolve, reject });
    });
  }

  /** Takes what waits: batches that are asked when called, which settles the questions and never rejects. */
  take(): (() => Promise<void>)[] {
    const batches = new Map<string, Question<Input, Answer>[]>();
    for (const question of this.#waiting) {
      const batch = this.batchOf(question.input);
      batches.set(batch, [...(batches.get(batch) ?? []), question]);
    }
    this.#waiting = [];
    return [...batches.values()].map((batch) => async () => {
      try {
        const answers = await this.answer(batch.map(({ input }) => input));
        for (const [i, { resolve }] of batch.entries()) resolve(answers[i] as Answer);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    });
  }
}

interface Question<Input, Answer> {
  readonly input: Input;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (reason: unknown) => void;
}

async function announceAll(asked: Network, runs: readonly Announcement[]): Promise<undefined[]> {
  const times = runs.flatMap(({ times }) => times);
  const scales = runs.flatMap(({ times, selfCondScale }) => ofEach(selfCondScale, times.length));
  await asked.prepare?.(times, scales);
  return runs.map(() => undefined);
}

async function predictAll(asked: Network, inputs: readonly DenoiseInput[]): Promise<Float32Array[]> {
  const all = {
    z: joined(inputs.map(({ z }) => z)),
    previous: joined(inputs.map(({ previous }) => previous)),
    batch: inputs.reduce((sum, { batch }) => sum + batch, 0),
  };
  const t = ofAll(inputs.map(({ t, batch }) => ofEach(t, batch)));
  const selfCondScale = ofAll(inputs.map(({ selfCondScale, batch }) => ofEach(selfCondScale, batch)));
  const isMixed = typeof t !== "number" || typeof selfCondScale !== "number";
  const answer = await (isMixed
    ? (asked as Required<Network>).denoiseMixed({ ...all, t, selfCondScale })
    : asked.denoise({ ...all, t, selfCondScale }));
  return spans(inputs.map(({ z }) => z.length)).map(([from, to]) => answer.subarray(from, to));
}

async function readAll(asked: Network, inputs: readonly Latents[]): Promise<Reading[][]> {
  const scales = inputs.map(({ latents, selfCondScale }) => ofEach(selfCondScale, latents.length));
  const readings = await asked.decode(
    inputs.flatMap(({ latents }) => latents),
    ofAll(scales),
  );
  return spans(inputs.map(({ latents }) => latents.length)).map(([from, to]) => readings.slice(from, to));
}

function ofEach(value: PerSample, count: number): readonly number[] {
  return typeof value === "number" ? new Array<number>(count).fill(value) : value;
}

/** One number where it is the same for all. */
function ofAll(values: readonly (readonly number[])[]): PerSample {
  const all = values.flat();
  const [first] = all;
  return first !== undefined && all.every((value) => value === first) ? first : all;
}

/** Where each of several parts of these lengths begins and ends, one behind the other. */
function spans(lengths: readonly number[]): (readonly [from: number, to: number])[] {
  let end = 0;
  return lengths.map((length) => {
    const from = end;
    end += length;
    return [from, end];
  });
}
