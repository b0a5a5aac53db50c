/** What a player says, to the eye and to the ear, in one language; `createPlayer` takes another table than the English one. */
export interface Words {
  readonly readings: {
    readonly label: string;
    readonly holds: string;
    readonly expects: string;
    /** What each of them is, one sentence without its full stop; a letter between `*` stands in italics. */
    readonly holdsIs: string;
    readonly expectsIs: string;
  };
  /** Stands before a prompt. */
  readonly given: string;
  readonly progress: {
    settled(settled: number, words: number): string;
    writing(step: number, steps: number): string;
    stopped(step: number, steps: number): string;
    /** Of a run that is written, but not all of whose steps have been read. */
    reading(read: number, steps: number): string;
    failed(step: number, steps: number): string;
  };
  readonly tokens: {
    readonly list: string;
    readonly held: string;
    percent(percent: number): string;
    wished(word: string): string;
    /** Tokens that are no words. */
    readonly end: string;
    readonly space: string;
    readonly padding: string;
    byte(hexadecimal: string): string;
  };
  readonly card: {
    label(position: number): string;
    position(position: number): string;
    hold(word: string): string;
    nats(entropy: number): string;
    readonly decided: string;
    readonly nearlyDecided: string;
    openAs(choices: number): string;
    readonly neverChanged: string;
    changed(t: number, step: number): string;
  };
  readonly time: {
    readonly label: string;
    readonly back: string;
    readonly play: string;
    readonly pause: string;
    readonly forward: string;
    t(t: number): string;
    step(step: number, steps: number): string;
    /** Said of a step that was passed and not read yet: the words shown are those before it. */
    readonly unread: string;
    readonly speed: string;
    readonly follow: string;
    readonly followNewest: string;
    /** Said where nothing moves. */
    readonly stills: string;
    readonly layout: string;
    readonly evenInTime: string;
    readonly evenInTimeIs: string;
    readonly evenInSteps: string;
    readonly evenInStepsIs: string;
  };
  readonly track: {
    readonly label: string;
    value(t: number, step: number, steps: number): string;
    /** The mark of the step where a run goes on from another, and what is said of that step. */
    readonly fork: string;
    readonly forked: string;
    bars(step: number, most: number, all: number): string;
    readonly noBars: string;
    bar(count: number, step: number): string;
    readonly noise: string;
    readonly text: string;
    readonly legend: string;
  };
  /** Of the settings that wrote a run; the others stand by their letters. */
  readonly run: {
    /** A number of them, ungrouped and with all of its decimals. */
    number(value: number): string;
    steps(steps: number): string;
    seed(seed: number): string;
    /** Of a start between the noise of two seeds, `percent` of the way. */
    between(percent: number, seed: number, other: number): string;
    /** Of a start at the noise of a text. */
    readonly back: string;
  };
  /** What a screen reader says when the player has come to rest. */
  readonly said: {
    readonly writing: string;
    readonly nothing: string;
    finished(text: string): string;
    step(step: number, steps: number, text: string): string;
  };
}

/** Numbers as a language writes them, with two decimals. */
export function twoDecimals(language: string): (value: number) => string {
  const { format } = new Intl.NumberFormat(language, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  return format;
}

const two = twoDecimals("en");

export const ENGLISH: Words = {
  readings: {
    label: "Which reading of the state",
    holds: "What it holds",
    expects: "What it expects",
    holdsIs: "The state *z* at this *t*, as words",
    expectsIs: "Its guess *x̂* at the final text",
  },
  given: "Given",
  progress: {
    settled: (settled, words) => `${settled} of ${words} ${words === 1 ? "word" : "words"} settled`,
    writing: (step, steps) => `Writing, step ${step} of ${steps}`,
    stopped: (step, steps) => `Stopped at step ${step} of ${steps}`,
    reading: (read, steps) => `Written; ${read} of ${steps} steps are read`,
    failed: (step, steps) => `Failed after step ${step} of ${steps}`,
  },
  tokens: {
    list: "Tokens of the text",
    held: "held",
    percent: (percent) => `${percent} percent`,
    wished: (word) => `to be held as ${word} in the next run`,
    end: "end of text",
    space: "space",
    padding: "padding",
    byte: (hexadecimal) => `byte ${hexadecimal}`,
  },
  card: {
    label: (position) => `Alternatives at position ${position}`,
    position: (position) => `position ${position}`,
    hold: (word) => `Hold ${word} here`,
    nats: (entropy) => `${two(entropy)} nats`,
    decided: "decided",
    nearlyDecided: "nearly decided",
    openAs: (choices) => `as open as ${choices.toLocaleString("en")} equally likely words`,
    neverChanged: "It has not changed since noise.",
    changed: (t, step) => `Last changed at t = ${two(t)}, step ${step}.`,
  },
  time: {
    label: "Time",
    back: "Step back",
    play: "Play",
    pause: "Pause",
    forward: "Step forward",
    t: (t) => `t = ${two(t)}`,
    step: (step, steps) => `step ${step} of ${steps}`,
    unread: "not read yet",
    speed: "Speed",
    follow: "Follow",
    followNewest: "Follow the newest step",
    stills: "Plays start, middle and end",
    layout: "Lay the track out",
    evenInTime: "even in t",
    evenInTimeIs: "Steps stand at their real times",
    evenInSteps: "even in steps",
    evenInStepsIs: "Every step takes the same room",
  },
  track: {
    label: "Time t, from noise to text",
    value: (t, step, steps) => `t = ${two(t)}, step ${step} of ${steps}`,
    fork: "Goes on from here",
    forked: "where it goes on from another run",
    bars: (step, most, all) => `Most tokens settle at step ${step}: ${most} of ${all}.`,
    noBars: "How many tokens settle at which step is known when the run is complete.",
    bar: (count, step) => `${count} ${count === 1 ? "token settles" : "tokens settle"} at step ${step}`,
    noise: "noise",
    text: "text",
    legend: "tokens that settle at each step",
  },
  run: {
    number: String,
    steps: (steps) => `${steps} ${steps === 1 ? "step" : "steps"}`,
    seed: (seed) => `seed ${seed}`,
    between: (percent, seed, other) => `${percent} % from seed ${seed} to ${other}`,
    back: "from the noise of a text",
  },
  said: {
    writing: "Writing.",
    nothing: "no text",
    finished: (text) => `Finished: ${text}`,
    step: (step, steps, text) => `Step ${step} of ${steps}: ${text}`,
  },
};
