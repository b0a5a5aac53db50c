import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { frameOf, PIECES, pathsOfLength, SETTINGS } from "../player/testing/runs";
import type { LoadedModel, LoadProgress, RunEvent, RunRequest, RunResult } from "../run/api";
import { ATTRIBUTE_NAMES, type Options, readAttribute } from "./attributes";
import { Broker, type SharedEngine, type Turn } from "./broker";
import { configure } from "./configuration";
import { EVENT_NAMES } from "./events";
import { Figure } from "./figure";
import { ENGLISH } from "./words";

const TRACE = readFileSync(join(import.meta.dirname, "../../public/traces/translate-de-en.json"), "utf8");
const { text: RECORDED, title: TITLE } = JSON.parse(TRACE);

interface AskedRun {
  readonly request: RunRequest;
  fail(error: Error): void;
  hear(event: RunEvent): void;
  end(result: RunResult): void;
}

/** What a test answers in the engine's place. What is aborted ends when the test says so: behind a worker it takes its time. */
const engine = { runs: [] as AskedRun[], load: Promise.resolve(), progress: (_: LoadProgress) => {} };
let broker: Broker;
/** How often the broker was asked for a turn. */
let users = 0;

vi.mock("./later", () => ({
  broker: {
    use: (owner: object, turn: Turn<unknown>) => {
      users++;
      return broker.use(owner, turn);
    },
    enter: (owner: object) => broker.enter(owner),
    release: (owner: object) => broker.release(owner),
  },
  recipeOfLink: (link: string) => JSON.parse(link),
}));

const PATHS = pathsOfLength(4, 2);
let findPaths: SharedEngine["paths"];

const LOADED = {
  manifest: { name: "tiny", title: "Tiny", defaults: SETTINGS, tokens: { eos: 1 } },
  pieces: PIECES,
  lasting: true,
} as unknown as LoadedModel;

/** What has to be told when an element is nearly in sight. */
let nearness: Set<() => void>;
/** Addresses that were fetched, and what waits for the last of them. */
let asked: string[];
let answer: Promise<void> | undefined;

beforeEach(() => {
  nearness = new Set();
  asked = [];
  users = 0;
  answer = undefined;
  findPaths = async () => PATHS;
  engine.runs = [];
  engine.load = Promise.resolve();
  broker = new Broker({
    load: (_, onProgress) => {
      engine.progress = onProgress;
      return engine.load.then(() => LOADED);
    },
    restore: async () => LOADED,
    generate: (request, hear) => new Promise((end, fail) => engine.runs.push({ request, hear, end, fail })),
    paths: (...asked) => findPaths(...asked),
    onLost: () => () => true,
    terminate: () => {},
  });
  vi.spyOn(console, "error").mockReturnValue();
  vi.stubGlobal("document", Object.assign(new EventTarget(), { hidden: false }));
  vi.stubGlobal("matchMedia", () => Object.assign(new EventTarget(), { matches: false }));
  vi.stubGlobal(
    "IntersectionObserver",
    class {
      readonly tell: () => void;
      constructor(
        told: (entries: unknown[]) => void,
        private readonly options?: object,
      ) {
        this.tell = () => told([{ isIntersecting: true }]);
      }
      observe() {
        if (this.options) nearness.add(this.tell);
      }
      disconnect() {
        nearness.delete(this.tell);
      }
    },
  );
  vi.stubGlobal("fetch", async (address: string) => {
    asked.push(address);
    await answer;
    if (address.endsWith("broken.json")) return new Response(streamOf(() => Promise.reject(new Error("cut"))));
    if (address.endsWith("endless.json")) return new Response(streamOf(async () => new Uint8Array(1e6)));
    return address.endsWith("good.json") ? new Response(TRACE) : new Response("", { status: 404 });
  });
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

/** A body that comes in pieces, the first of them the beginning of a trace. */
function streamOf(next: () => Promise<Uint8Array>) {
  let isBegun = false;
  return new ReadableStream({
    pull: async (body) => {
      body.enqueue(isBegun ? await next() : new TextEncoder().encode(TRACE.slice(0, 100)));
      isBegun = true;
    },
  });
}

/** Lets everything go on that waits for nothing else. */
const soon = async () => {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setTimeout(resolve));
};

/** An element in a page, as the page and its reader deal with it. */
function placed(attributes: Partial<Options>) {
  const unasked = Object.fromEntries(ATTRIBUTE_NAMES.map((name) => [name, readAttribute(name, null).value]));
  let options = { ...unasked, ...attributes } as Options;
  const told: string[] = [];
  const element = Object.assign(new EventTarget(), {
    baseURI: "http://page.example/",
    closest: () => null,
    ownerDocument: Object.assign(document, { defaultView: globalThis }),
    querySelector: () => null,
  });
  for (const name of EVENT_NAMES) element.addEventListener(name, () => told.push(name));
  const figure = new Figure(element as unknown as HTMLElement, options, () => () => {});
  figure.connect();
  return {
    figure,
    told,
    set: async (change: Partial<Options>) => {
      options = { ...options, ...change };
      figure.change(options);
      await soon();
    },
    comeNear: async () => {
      for (const tell of [...nearness]) tell();
      await soon();
    },
    /** Has a text written, and returns its run and what comes of it. */
    generate: async () => {
      const outcome = figure.generate({ seed: 1 });
      outcome.catch(() => {});
      await soon();
      return { outcome, run: engine.runs.at(-1) as AskedRun };
    },
    /** The stage, what stands on it, and what is wrong. */
    shows: () => {
      const { run } = figure;
      const { stage, problem } = figure.state.getState();
      return [stage, run && (run.text || run.status), problem?.code ?? null];
    },
  };
}

const START: RunEvent = { type: "start", times: [0, 1 / 3, 2 / 3, 1], first: 0 };
const frame = (step: number): RunEvent => ({ type: "frame", frame: frameOf(step, 3, "▁the", "▁cat") });

async function end({ end }: AskedRun, text: string, status: RunResult["status"] = "done") {
  end({ status, text, tokens: new Int32Array(), seconds: 1 });
  await soon();
}

/** From noise to its text. */
async function write(run: AskedRun, text: string) {
  for (const event of [START, frame(0), frame(1), frame(2), frame(3)]) run.hear(event);
  await end(run, text);
}

const GOOD = { trace: "good.json" };
const OTHER = { trace: "other-good.json" };
const BAD = { trace: "missing.json" };

describe("an element near which somebody has come (points 5, 7)", () => {
  it("loads what it is told of only then", async () => {
    const { set, comeNear, shows } = placed({});
    await comeNear();
    expect(shows()).toEqual(["poster", null, "nothing-to-show"]);
    await set(GOOD);
    expect(shows()).toEqual(["shown", RECORDED, null]);
  });

  it("loads what a wrong address was corrected to", async () => {
    const { set, comeNear, shows } = placed(BAD);
    await comeNear();
    expect(shows()).toEqual(["poster", null, "unreachable-trace"]);
    for (const trace of ["wrong.json", "https://"]) {
      await set({ trace });
      expect(shows()).toEqual(["poster", null, "unreachable-trace"]);
    }
    await set(GOOD);
    expect(shows()).toEqual(["shown", RECORDED, null]);
  });

  it("loads what is corrected as soon as the error is told", async () => {
    const { figure, set, comeNear, shows } = placed(BAD);
    figure.element.addEventListener("elf-error", () => void set(GOOD));
    await comeNear();
    expect(shows()).toEqual(["shown", RECORDED, null]);
  });

  it("keeps its poster over another run, which is fetched when that is pressed", async () => {
    const { figure, set, comeNear, shows } = placed({ ...GOOD, preload: "none" });
    await comeNear();
    await set(OTHER);
    await set({ model: "/tiny" });
    expect(shows()).toEqual(["poster", null, null]);
    expect(asked).toEqual([]);
    await figure.open();
    expect(shows()).toEqual(["shown", RECORDED, null]);
    expect(asked).toEqual(["http://page.example/other-good.json"]);
  });

  it("plays what its poster is turned to while the reader waits, and writes nothing", async () => {
    const { figure, set, comeNear, shows } = placed({ ...GOOD, model: "/tiny", preload: "none" });
    await comeNear();
    const opened = figure.open();
    let arrive = () => {};
    answer = new Promise((resolve) => {
      arrive = resolve;
    });
    await set(OTHER);
    arrive();
    await opened;
    expect(shows()).toEqual(["shown", RECORDED, null]);
    expect(engine.runs).toEqual([]);
  });

  it("and no other fetches anything for a change, in a page or out of it", async () => {
    const { figure, set, comeNear, shows } = placed(BAD);
    await set(GOOD);
    await comeNear();
    expect(asked).toEqual(["http://page.example/good.json"]);
    figure.disconnect();
    figure.dispose();
    figure.connect();
    await set(OTHER);
    expect(asked).toHaveLength(1);
    await comeNear();
    expect(shows()).toEqual(["shown", RECORDED, null]);
  });
});

describe("a text that was written before anybody came near (points 3, 5)", () => {
  it("stays, and the recorded run is not fetched", async () => {
    const { figure, told, comeNear, generate, shows } = placed({ ...GOOD, model: "/tiny", autoplay: true });
    const { run } = await generate();
    await write(run, "the cat");
    await figure.seek(2);
    await comeNear();
    expect(shows()).toEqual(["shown", "the cat", null]);
    expect([figure.index, figure.state.getState().title]).toEqual([2, "Tiny"]);
    expect(asked).toEqual([]);
    expect(told.filter((name) => name === "elf-ready")).toHaveLength(1);
  });

  it("stays while it is written", async () => {
    const { figure, comeNear, generate, shows } = placed({ ...GOOD, model: "/tiny" });
    const { run } = await generate();
    run.hear(START);
    run.hear(frame(0));
    const stages = new Set<string>();
    figure.state.subscribe(({ stage }) => stages.add(stage));
    await comeNear();
    expect(shows()).toEqual(["shown", "running", null]);
    expect([...stages]).toEqual(["shown"]);
    expect(figure.state.getState().title).toBe("Tiny");
  });

  it("stays when the recorded run was on its way already", async () => {
    const { figure, comeNear, generate, shows } = placed({ ...GOOD, model: "/tiny" });
    let arrive = () => {};
    answer = new Promise((resolve) => {
      arrive = resolve;
    });
    await comeNear();
    const { run } = await generate();
    run.hear(START);
    run.hear(frame(0));
    arrive();
    await soon();
    expect(shows()).toEqual(["shown", "running", null]);
    await write(run, "the cat");
    expect(shows()).toEqual(["shown", "the cat", null]);
    expect(figure.state.getState().title).toBe("Tiny");
  });

  it("is covered by no poster, not even before its first frame or when it is put elsewhere", async () => {
    const { figure, comeNear, generate, shows } = placed({ ...GOOD, model: "/tiny", preload: "none" });
    const { run } = await generate();
    await comeNear();
    expect(shows()).toEqual(["shown", null, null]);
    await write(run, "the cat");
    figure.disconnect();
    figure.connect();
    await comeNear();
    expect(shows()).toEqual(["shown", "the cat", null]);
    expect(asked).toEqual([]);
  });

  it("makes room for the recorded run where nothing came of it", async () => {
    const { figure, comeNear, generate, shows } = placed({ ...GOOD, model: "/tiny" });
    const { run } = await generate();
    figure.cancel();
    await end(run, "", "cancelled");
    await comeNear();
    expect(shows()).toEqual(["shown", RECORDED, null]);
    expect(figure.state.getState().title).toBe(TITLE);
  });

  it("comes after the recorded run where it has no frame yet", async () => {
    const { figure, comeNear, generate, shows } = placed({ ...GOOD, model: "/tiny" });
    const { run } = await generate();
    await comeNear();
    expect(shows()).toEqual(["shown", RECORDED, null]);
    await write(run, "the cat");
    expect(shows()).toEqual(["shown", "the cat", null]);
    expect(figure.state.getState().title).toBe("Tiny");
  });
});

describe("a run that is written while the element is told of another one (points 6, 7)", () => {
  it.each([
    ["trace", OTHER] as const,
    ["model", { model: "/other" }] as const,
    ["src", { src: "/there" }] as const,
  ])("does not come back, by %s", async (_, change) => {
    const { figure, set, comeNear, generate, shows } = placed({ ...GOOD, model: "/tiny" });
    await comeNear();
    const { outcome, run } = await generate();
    run.hear(START);
    run.hear(frame(0));
    await set(change);
    run.hear(frame(1));
    expect(shows()).toEqual(["shown", RECORDED, null]);
    await end(run, "the", "cancelled");
    expect(shows()).toEqual(["shown", RECORDED, null]);
    expect(figure.state.getState()).toMatchObject({ title: TITLE, work: { kind: "none" } });
    expect((await outcome).status).toBe("cancelled");
  });

  it("does not come back after everything was given back", async () => {
    const { figure, generate, shows } = placed({ model: "/tiny" });
    const { run } = await generate();
    run.hear(START);
    run.hear(frame(0));
    figure.dispose();
    run.hear(frame(1));
    await end(run, "the", "cancelled");
    expect(shows()).toEqual(["text", null, null]);
  });

  it("is not asked for where the element is gone before it could be", async () => {
    const { figure, told } = placed({ model: "/tiny" });
    const outcome = figure.generate();
    figure.dispose();
    expect((await outcome).status).toBe("cancelled");
    await soon();
    expect(told).not.toContain("elf-load");
    expect(users).toBe(0);
  });

  it("says nothing of a model that still loads, nor of what failed of it", async () => {
    const { figure, told, set, comeNear, generate, shows } = placed({ ...GOOD, model: "/tiny" });
    await comeNear();
    let load = { resolve: () => {}, reject: (_: Error) => {} };
    const hold = () => {
      engine.load = new Promise((resolve, reject) => {
        load = { resolve, reject };
      });
    };
    hold();
    const loaded = await generate();
    await set({ model: "/other" });
    engine.progress({ phase: "manifest" });
    expect(figure.state.getState().work.kind).toBe("none");
    load.resolve();
    await soon();
    expect(told).not.toContain("elf-run");
    expect((await loaded.outcome).status).toBe("cancelled");
    hold();
    const failed = await generate();
    await set({ model: "/third" });
    load.reject(new Error("gone"));
    await expect(failed.outcome).rejects.toThrow("gone");
    expect(shows()).toEqual(["shown", RECORDED, null]);
    expect(figure.state.getState()).toMatchObject({ title: TITLE, isLasting: null, work: { kind: "none" } });
  });

  it("ends in sight where only a newer one is asked for", async () => {
    const { generate, shows } = placed({ model: "/tiny" });
    const { run } = await generate();
    run.hear(START);
    run.hear(frame(0));
    await generate();
    await end(run, "the", "cancelled");
    expect(shows()).toEqual(["shown", "the", null]);
  });
});

describe("a recorded run that does not come whole (point 19)", () => {
  it.each([
    ["broken.json", "it broke off"],
    ["endless.json", "it is too large"],
    ["missing.json", "the answer was 404"],
  ])("is told of by name: %s", async (trace, why) => {
    const { figure, comeNear, shows } = placed({ trace });
    await comeNear();
    await expect.poll(shows).toEqual(["poster", null, "unreachable-trace"]);
    expect(figure.state.getState().problem?.message).toContain(why);
  });
});

describe("what a reader has chosen (points 8, 23)", () => {
  const player = (figure: Figure) => figure.seat.player;

  it("stays in another language, another group and another place", async () => {
    const { figure, set, comeNear } = placed(GOOD);
    await comeNear();
    player(figure).display.getState().set({ reading: "expects", speed: 4, axis: "steps" });
    await figure.seek(1);
    await figure.play();
    figure.type("typed");
    const changes = [
      () => figure.changeLanguage(),
      () => configure({ words: { fr: { ...ENGLISH, generate: "Écrire" } } }),
      () => set({ group: "another" }),
      () => {
        figure.disconnect();
        figure.connect();
      },
    ];
    for (const change of changes) {
      await change();
      expect(player(figure).display.getState()).toMatchObject({ reading: "expects", speed: 4, axis: "steps" });
      expect(player(figure).playback.getState()).toMatchObject({ index: 1, playing: true });
      expect(figure.state.getState().typed).toBe("typed");
    }
    await set({ prompt: "another" });
    expect(figure.state.getState().typed).toBeNull();
    figure.dispose();
    expect(player(figure).display.getState()).toMatchObject({ reading: "holds", speed: 1, axis: "time" });
  });

  it("and what is written is followed on", async () => {
    const { figure, set, generate } = placed({ model: "/tiny" });
    const { run } = await generate();
    run.hear(START);
    run.hear(frame(0));
    figure.changeLanguage();
    await set({ group: "another" });
    run.hear(frame(1));
    expect(player(figure).playback.getState()).toMatchObject({ index: 1, following: true });
    expect(figure.seat.words).toBe(ENGLISH);
  });

  it("is heard by one listener however often it changes", async () => {
    const { figure, told, set, comeNear } = placed(GOOD);
    await comeNear();
    figure.changeLanguage();
    for (const group of ["a", "b", ""]) await set({ group });
    told.length = 0;
    await figure.seek(2);
    expect(told).toEqual(["elf-frame"]);
  });
});

it("a card that a pointer has opened stays behind where the element is put elsewhere (point 11)", async () => {
  const { figure, comeNear } = placed(GOOD);
  await comeNear();
  const { inspection } = figure.seat.player;
  inspection.getState().glance(1);
  figure.disconnect();
  expect(inspection.getState().inspected).toBeNull();
  inspection.getState().pin(1);
  figure.disconnect();
  expect(inspection.getState().inspected).toBe(1);
});

describe("the engine of a page (point 6)", () => {
  it("is given back by an element that stands in none", async () => {
    const { figure, generate } = placed({ model: "/tiny" });
    const release = vi.spyOn(broker, "release");
    figure.disconnect();
    const { outcome, run } = await generate();
    await write(run, "the cat");
    await outcome;
    release.mockClear();
    figure.dispose();
    expect(release).toHaveBeenCalledTimes(1);
  });

  it("is kept by one that has used it and is put elsewhere", async () => {
    const { figure, generate } = placed({ model: "/tiny" });
    const calls: string[] = [];
    vi.spyOn(broker, "enter").mockImplementation(() => void calls.push("enter"));
    vi.spyOn(broker, "release").mockImplementation(() => void calls.push("release"));
    const { run } = await generate();
    await write(run, "the cat");
    calls.length = 0;
    figure.disconnect();
    figure.connect();
    expect(calls).toEqual(["release", "enter"]);
  });
});

describe("what is asked for one after another (point 8)", () => {
  it("a run of another model is not gone on from", async () => {
    const { figure, comeNear, shows } = placed({ ...GOOD, model: "/tiny" });
    await comeNear();
    await expect(figure.fork({ step: 1 })).rejects.toThrow(/no run of the model tiny/);
    expect(shows()).toEqual(["shown", RECORDED, "no-run"]);
    expect(figure.state.getState()).toMatchObject({ title: TITLE, isLasting: null });
    expect(engine.runs).toEqual([]);
  });

  it("a fork gives way to what is asked for while it waits for its run", async () => {
    const { figure, generate, shows } = placed({ ...GOOD, model: "/tiny" });
    let arrive = () => {};
    answer = new Promise((resolve) => {
      arrive = resolve;
    });
    const fork = figure.fork({ step: 1 });
    const { run } = await generate();
    run.hear(START);
    run.hear(frame(0));
    arrive();
    expect((await fork).status).toBe("cancelled");
    await soon();
    expect(engine.runs).toHaveLength(1);
    await write(run, "the cat");
    expect(shows()).toEqual(["shown", "the cat", null]);
  });

  it("a pause undoes a play that still waits", async () => {
    const { figure } = placed(GOOD);
    const played = figure.play();
    figure.pause();
    await played;
    expect(figure.seat.player.playback.getState().playing).toBe(false);
    await figure.play();
    expect(figure.seat.player.playback.getState().playing).toBe(true);
  });

  it("a recipe is written as it is until that has succeeded", async () => {
    const recipe = JSON.stringify({ settings: { ...SETTINGS, seed: 77 } });
    const { figure } = placed({ model: "/tiny", recipe });
    const seed = async () => {
      figure.generate().catch(() => {});
      await soon();
      return engine.runs.at(-1)?.request.settings.seed;
    };
    expect(await seed()).toBe(77);
    engine.runs.at(-1)?.fail(new Error("lost"));
    await soon();
    expect(await seed()).toBe(77);
    await write(engine.runs.at(-1) as AskedRun, "the cat");
    expect(await seed()).not.toBe(77);
  });
});

describe("where the tokens of a run were (point 7)", () => {
  const pathsOf = ({ run }: Figure) => run?.trajectory.paths;

  it("is asked once a run is written, while the lens is on that shows it, and when it is turned on", async () => {
    const { figure, set, generate } = placed({ model: "/tiny", lens: "paths" });
    await write((await generate()).run, "the cat");
    await soon();
    expect(pathsOf(figure)).toEqual(PATHS);
    await set({ lens: "numbers" });
    const { outcome, run } = await generate();
    await write(run, "the cat");
    expect((await outcome).text).toBe("the cat");
    await soon();
    expect(pathsOf(figure)).toBeUndefined();
    await set({ lens: "paths" });
    expect(pathsOf(figure)).toEqual(PATHS);
    const asked = users;
    await set({ lens: "numbers" });
    await set({ lens: "paths" });
    expect(users).toBe(asked);
  });

  it("is told to be looked for meanwhile", async () => {
    const { figure, generate } = placed({ model: "/tiny", lens: "paths" });
    const isFinding = () => figure.state.getState().isFindingPaths;
    let found = (_: typeof PATHS) => {};
    findPaths = () =>
      new Promise((resolve) => {
        found = resolve;
      });
    await write((await generate()).run, "the cat");
    expect(isFinding()).toBe(true);
    found(PATHS);
    await soon();
    expect([isFinding(), pathsOf(figure)]).toEqual([false, PATHS]);
  });

  it("is asked again where the element is put elsewhere meanwhile, and by none that stands nowhere", async () => {
    const { figure, generate } = placed({ model: "/tiny", lens: "paths" });
    const enter = vi.spyOn(broker, "enter");
    const { run } = await generate();
    for (const event of [START, frame(0), frame(1)]) run.hear(event);
    figure.disconnect();
    enter.mockClear();
    await end(run, "the", "cancelled");
    expect([users, enter.mock.calls.length]).toEqual([1, 0]);
    let told = (_: typeof PATHS) => {};
    findPaths = () =>
      new Promise((resolve) => {
        told = resolve;
      });
    figure.connect();
    await soon();
    figure.disconnect();
    told(PATHS);
    await soon();
    expect(pathsOf(figure)).toBeUndefined();
    findPaths = async () => PATHS;
    figure.connect();
    await soon();
    expect(pathsOf(figure)).toEqual(PATHS);
  });

  it("keeps no newer text from being written", async () => {
    const { figure, generate, shows } = placed({ model: "/tiny", lens: "paths" });
    const { run } = await generate();
    for (const event of [START, frame(0), frame(1)]) run.hear(event);
    const newer = await generate();
    await end(run, "the", "cancelled");
    await write(engine.runs.at(-1) as AskedRun, "the cat");
    expect((await newer.outcome).status).toBe("done");
    expect(shows()).toEqual(["shown", "the cat", null]);
    expect(pathsOf(figure)).toEqual(PATHS);
  });
});
