import { describe, expect, it } from "vitest";
import { UnreachableError } from "../../../delivery/store/errors";
import { recipeOf } from "../../../flow/recipe";
import { DeviceLostError } from "../../../runtime/runtime";
import { perform } from "../../actions/action";
import { writeTheRest } from "../../actions/experiments";
import { commandsOf } from "../../actions/palette";
import { newerRun } from "../../actions/view";
import { tryAgain } from "../../actions/writing";
import { FakeEngine, settled } from "../../testing/fakeEngine";
import { runOf, SETTINGS } from "../../testing/runs";
import { testStudio } from "../../testing/studio";
import { ENGLISH } from "../../words/english";
import { runAsFile } from "../kept/files";
import { selectedRun } from "../runs/runs";
import type { Run } from "../runs/shelfRun";
import type { Studio } from "../studio";
import { runsOf, surestMember } from "./comparison";
import { type Experiment, experimentNamed, gridOf } from "./experiments";

const base = { settings: SETTINGS };
const samplers = experimentNamed("samplers");
const guidance = experimentNamed("guidance");
if (!samplers || !guidance) throw new Error("The experiments are named otherwise.");

/** Lets the engine write as many whole runs, with `steps` steps each. */
async function write(engine: ReturnType<typeof testStudio>["engine"], runs: number, steps: number) {
  for (let run = 0; run < runs; run++) await engine.go(steps + 1);
}

async function begun(experiment = samplers, engine = new FakeEngine()) {
  const test = testStudio({ engine });
  const store = test.studio.comparison;
  const ended = store.getState().begin(experiment as NonNullable<typeof experiment>, base);
  await settled();
  // The model.
  await engine.go();
  return { ...test, engine, store, ended };
}

describe("an experiment", () => {
  it("writes its runs in turn onto the shelf, and stands there from the first press on", async () => {
    const { studio, engine, store, ended, archive } = await begun();
    const { shown } = store.getState();
    expect(shown?.members.map(({ label }) => label(ENGLISH))).toEqual(["ODE", "SDE, γ 1.5"]);
    await write(engine, 2, SETTINGS.steps);
    await ended;
    expect(engine.generated.map(({ settings: { method } }) => method)).toEqual(["ode", "sde"]);
    expect(studio.generation.getState()).toMatchObject({ phase: "idle", problem: null });
    const { runs } = studio.runs.getState();
    expect(runs.map(({ status }) => status)).toEqual(["done", "done"]);
    expect(shown && runsOf(shown, runs).map((run) => run?.trajectory.settings.method)).toEqual(["ode", "sde"]);
    expect(archive.kept.size).toBe(2);
  });

  it("is tried again as a whole where no model could be loaded for it", async () => {
    const { studio, engine } = testStudio();
    engine.fault.load = new UnreachableError("No connection.", "Check it.");
    await studio.comparison.getState().begin(samplers, base);
    expect(studio.generation.getState().problem?.code).toBe("unreachable");
    engine.fault = {};
    perform(tryAgain, studio);
    await settled();
    await engine.go();
    await write(engine, 2, SETTINGS.steps);
    expect(engine.generated.map(({ settings: { method, seed } }) => [method, seed])).toEqual([
      ["ode", SETTINGS.seed],
      ["sde", SETTINGS.seed],
    ]);
  });

  it("writes nothing that is on the shelf already, and loads no model for it", async () => {
    const { studio, engine } = testStudio();
    for (const { recipe, label } of samplers.variants(base)) {
      const run = runOf(["▁the", "▁cat"], { id: label(ENGLISH) });
      studio.runs.getState().add({ ...run, trajectory: { ...run.trajectory, ...recipe } });
    }
    await studio.comparison.getState().begin(samplers, base);
    expect(engine.loads).toBe(0);
    expect(engine.generated).toEqual([]);
    expect(studio.comparison.getState().shown?.members).toHaveLength(2);
  });

  it("is ended by one cancel, and goes on with the rest when it is begun again", async () => {
    const { studio, engine, store, ended } = await begun();
    await engine.go(2);
    await studio.generation.getState().cancel();
    await settled();
    await ended;
    expect(engine.generated).toHaveLength(1);
    expect(studio.generation.getState().phase).toBe("idle");
    expect(studio.runs.getState().runs.map(({ status }) => status)).toEqual(["cancelled"]);

    const again = store.getState().begin(samplers, base);
    await settled();
    await write(engine, 2, SETTINGS.steps);
    await again;
    const shown = store.getState().shown;
    expect(shown && runsOf(shown, studio.runs.getState().runs).map((run) => run?.status)).toEqual(["done", "done"]);
  });

  it("that cannot be made of a run says why, and leaves what is shown", async () => {
    const { studio } = testStudio();
    await expect(studio.comparison.getState().begin(guidance, base)).rejects.toMatchObject({
      code: "condition",
      action: "It takes a run with a prompt.",
    });
    expect(studio.comparison.getState().shown).toBeNull();
  });

  it("goes when another model comes", async () => {
    const { studio, store } = await begun();
    studio.model.setState({ name: "another" });
    expect(store.getState().shown).toBeNull();
  });
});

describe("the best of four", () => {
  const four = experimentNamed("best-of-four");
  /** Entropy of every token of a seed's text, in nats. */
  const NATS: Record<number, number> = { 7: 1, 8: 0.5, 9: 0.25, 10: 2 };
  const own = base.settings.seed;

  /** An engine that is of each seed's text as sure as it is said here. */
  class UnsureEngine extends FakeEngine {
    override generate(...[request, onEvent, signal]: Parameters<FakeEngine["generate"]>) {
      const entropy = (length: number) => new Float32Array(length).fill(NATS[request.settings.seed] as number);
      const unsure = (event: Parameters<typeof onEvent>[0]) => {
        if (event.type !== "frame") return onEvent(event);
        const { holds } = event.frame;
        onEvent({
          type: "frame",
          frame: { ...event.frame, holds: { ...holds, entropy: entropy(holds.tokens.length) } },
        });
      };
      return super.generate(request, unsure, signal);
    }
  }

  async function written(runs: number) {
    const { studio, engine, store, ended } = await begun(four, new UnsureEngine());
    await write(engine, runs, SETTINGS.steps);
    const all = () => {
      const { shown } = store.getState();
      const found = shown && runsOf(shown, studio.runs.getState().runs);
      return { surest: shown && found ? surestMember(shown, found) : undefined, found };
    };
    return { studio, engine, store, ended, all };
  }
  const seedShown = ({ runs }: Pick<Studio, "runs">) => selectedRun(runs.getState())?.trajectory.settings.seed;

  it("keeps the run of whose text the model is surest on the stage, when all four are done", async () => {
    const { studio, engine, store, ended, all } = await written(3);
    expect(all().surest).toBeUndefined();
    await write(engine, 1, SETTINGS.steps);
    await ended;
    expect(all().surest).toBe(2);
    expect(studio.runs.getState().runs).toHaveLength(4);
    expect(seedShown(studio)).toBe(own + 2);
    store.getState().close();
    expect(seedShown(studio)).toBe(own + 2);
  });

  it("chooses none while one is missing, and all of them from the shelf alone", async () => {
    const { studio, engine, store, ended, all } = await written(2);
    await engine.go(2);
    await studio.generation.getState().cancel();
    await settled();
    await ended;
    expect(all().surest).toBeUndefined();
    const again = store.getState().begin(four as Experiment, base);
    await settled();
    await write(engine, 2, SETTINGS.steps);
    await again;
    expect(all().surest).toBe(2);
    studio.runs.getState().select(all().found?.[0]?.id ?? "");
    await store.getState().begin(four as Experiment, base);
    expect(seedShown(studio)).toBe(own + 2);
  });

  it("leaves the stage to whoever closed it meanwhile", async () => {
    const { studio, engine, store, ended } = await written(3);
    store.getState().close();
    await write(engine, 1, SETTINGS.steps);
    await ended;
    expect(seedShown(studio)).toBe(own + 3);
  });

  it("is of no other experiment", async () => {
    const { studio, engine, store, ended } = await begun();
    await write(engine, 2, SETTINGS.steps);
    await ended;
    const { shown } = store.getState();
    expect(shown && surestMember(shown, runsOf(shown, studio.runs.getState().runs))).toBeUndefined();
  });
});

describe("a grid", () => {
  it("is filled at once on a GPU: its cells go their steps together, and a cell of fewer is there sooner", async () => {
    const engine = new FakeEngine();
    engine.backend = "webgpu";
    const { studio, store, ended } = await begun(gridOf("steps", "gamma"), engine);
    expect(engine.generated).toHaveLength(16);
    expect(engine.generated.every(({ atOnce }) => atOnce)).toBe(true);
    const done = () => store.getState().laid.filter(({ status }) => status === "done").length;
    await engine.go(5);
    expect(done()).toBe(4);
    await engine.go(28);
    await ended;
    expect(done()).toBe(16);
    expect(studio.generation.getState()).toMatchObject({ phase: "idle", problem: null });
  });

  it("loses no cell that is there when its GPU is lost, and says so once", async () => {
    const engine = new FakeEngine();
    engine.backend = "webgpu";
    const { studio, store, ended } = await begun(gridOf("steps", "gamma"), engine);
    await engine.go(5);
    engine.lose(new DeviceLostError("The GPU was lost.", "Generate again."));
    await settled();
    await engine.go();
    await ended;
    const ends = store.getState().laid.map(({ status }) => status);
    expect(ends.filter((status) => status === "done")).toHaveLength(4);
    expect(ends.filter((status) => status === "failed")).toHaveLength(12);
    expect(studio.generation.getState().problem?.message).toBe("The GPU was lost.");
  });

  it("keeps its runs off the shelf, until one is taken", async () => {
    const grid = gridOf("steps", "selfCondScale");
    const { studio, engine, store, archive } = await begun(grid);
    await write(engine, 4, 4);
    expect(store.getState().laid.filter(({ status }) => status === "done")).toHaveLength(4);
    expect(studio.runs.getState().runs).toEqual([]);
    expect(archive.kept.size).toBe(0);
    await studio.generation.getState().cancel();
    await settled();

    const cell = store.getState().laid[1];
    if (!cell) throw new Error("There is no second cell.");
    store.getState().take(cell);
    expect(studio.runs.getState()).toMatchObject({ runs: [cell], selectedId: cell.id });
    await settled();
    expect([...archive.kept.keys()]).toEqual([cell.id]);
  });

  it("lets no cell go while it is written: its frames, and its end, come where it is laid alone", async () => {
    const { studio, engine, store, archive } = await begun(gridOf("steps", "selfCondScale"));
    await engine.go(2);
    const [cell] = store.getState().laid;
    if (cell?.status !== "running") throw new Error("The first cell is not being written.");
    store.getState().take(cell);
    expect(studio.runs.getState()).toMatchObject({ runs: [], selectedId: null });
    await settled();
    expect(archive.kept.size).toBe(0);
  });

  it("that is begun again has the cells that are there, and another one begins anew", async () => {
    const grid = gridOf("steps", "selfCondScale");
    const { studio, engine, store } = await begun(grid);
    await write(engine, 2, 4);
    await studio.generation.getState().cancel();
    await settled();
    void store.getState().begin(grid, base);
    await settled();
    expect(store.getState().laid.filter(({ status }) => status === "done")).toHaveLength(2);
    expect(engine.generated.at(-1)?.settings.selfCondScale).toBe(3);
    void store.getState().begin(gridOf("gamma", "steps"), base);
    await settled();
    expect(store.getState().laid.filter(({ status }) => status === "done")).toEqual([]);
  });
});

describe("runs of the shelf", () => {
  const shelf = (count: number) => {
    const { studio } = testStudio();
    const runs = Array.from({ length: count }, (_, i) => {
      const run = runOf(["▁the", "▁cat"], { id: `run-${i}`, startedAt: i });
      return { ...run, trajectory: { ...run.trajectory, settings: { ...SETTINGS, seed: i, gamma: i / 10 } } };
    });
    for (const run of runs) studio.runs.getState().add(run);
    studio.runs.getState().select("run-0");
    return { studio, runs, store: studio.comparison };
  };
  const seeds = (store: ReturnType<typeof shelf>["store"]) =>
    store.getState().shown?.members.map(({ recipe }) => recipe.settings.seed);

  it("are laid beside the one on the stage, and taken away again", () => {
    const { runs, store } = shelf(3);
    for (const run of runs.slice(1)) store.getState().turn(run);
    expect(seeds(store)).toEqual([0, 1, 2]);
    expect(store.getState().shown).toMatchObject({ origin: null, isMarked: false });
    store.getState().turn(runs[1] as (typeof runs)[number]);
    expect(seeds(store)).toEqual([0, 2]);
    store.getState().turn(runs[2] as (typeof runs)[number]);
    expect(store.getState().shown, "one alone is no comparison").toBeNull();
  });

  it("are no more than six, the newest", () => {
    const { runs, store } = shelf(8);
    for (const run of runs.slice(1)) store.getState().turn(run);
    expect(seeds(store)).toEqual([2, 3, 4, 5, 6, 7]);
  });

  it("of several runs by one recipe the whole one counts, and one being written before one that was stopped", () => {
    const done = runOf(["▁the", "▁cat"], { id: "done" });
    const stopped = { ...done, id: "stopped", status: "cancelled" as const };
    const running = { ...done, id: "running", status: "running" as const };
    const comparison = {
      title: () => "",
      about: () => "",
      model: "test",
      isMarked: true,
      origin: null,
      members: [{ label: () => "", recipe: recipeOf(done.trajectory) }],
    };
    const id = (...runs: (typeof done)[]) => runsOf(comparison, runs)[0]?.id;
    expect(id(stopped, done, running)).toBe("done");
    expect(id(running, stopped)).toBe("running");
    expect(id(stopped, running)).toBe("running");
    expect(id({ ...done, trajectory: { ...done.trajectory, model: "another" } })).toBeUndefined();
  });
});

describe("whoever writes while texts stand side by side", () => {
  const NEW = { settings: { ...SETTINGS, seed: 41 } };

  /** A studio with two runs side by side, and its model loaded. */
  async function beside() {
    const { studio, engine } = testStudio();
    const [first, second] = [1, 2].map((seed) => {
      const run = runOf(["▁the", "▁cat"], { id: `run of ${seed}`, startedAt: seed });
      return { ...run, trajectory: { ...run.trajectory, settings: { ...SETTINGS, seed } } };
    });
    if (!first || !second) throw new Error("There are no two runs.");
    for (const run of [first, second]) studio.runs.getState().add(run);
    studio.runs.getState().select(first.id);
    studio.comparison.getState().turn(second);
    void studio.generation.getState().prepare();
    await settled();
    await engine.go();
    return { studio, engine, store: studio.comparison, first, second };
  }
  const isShown = (store: Studio["comparison"]) => store.getState().shown !== null;

  it.each<[string, (studio: Studio, run: Run) => void]>([
    ["a new run", ({ generation }) => void generation.getState().start()],
    ["a fork", ({ generation }, run) => void generation.getState().fork(run, 1)],
    ["a link's run", ({ generation }) => void generation.getState().write(NEW)],
  ])("sees %s, as soon as there is something of it to be seen", async (_, press) => {
    const { studio, engine, store, first } = await beside();
    press(studio, first);
    await settled();
    expect(isShown(store)).toBe(true);
    await engine.go();
    expect(isShown(store)).toBe(false);
    expect(selectedRun(studio.runs.getState())).toMatchObject({ status: "running" });
  });

  it("sees them where the new run is one of them, where it is none of the shelf's, and where nothing comes of it", async () => {
    const { studio, engine, store, first } = await beside();
    void studio.generation.getState().write(recipeOf(first.trajectory));
    await settled();
    await engine.go(SETTINGS.steps + 1);
    expect(isShown(store), "one of them").toBe(true);
    void studio.phases.getState().count(first);
    await settled();
    await engine.go(2);
    expect(isShown(store), "one that is counted").toBe(true);
    void studio.generation.getState().start();
    await settled();
    await studio.generation.getState().cancel();
    await settled();
    expect(isShown(store), "one that was cancelled").toBe(true);
  });

  it("is left to what was laid side by side since: only what a press finds gives way to it", async () => {
    const { studio, engine, store, second } = await beside();
    void store.getState().begin(samplers, base);
    await settled();
    await engine.go(1);
    studio.runs.getState().select("run of 1");
    store.getState().close();
    store.getState().turn(second);
    await write(engine, 2, SETTINGS.steps);
    expect(studio.runs.getState().runs.filter(({ status }) => status === "done")).toHaveLength(4);
    expect(store.getState().shown?.origin).toBeNull();
  });

  it("keeps the texts of a grid, which are on no shelf, is told so, and can have the rest of them", async () => {
    const { studio, engine, store } = await begun(gridOf("steps", "selfCondScale"));
    await write(engine, 2, 4);
    void studio.generation.getState().write(NEW);
    await settled();
    await engine.go(SETTINGS.steps + 1);
    expect(studio.runs.getState().runs).toMatchObject([{ status: "done" }]);
    expect(store.getState().laid).toHaveLength(2);
    expect(studio.view.getState().said).toBe(ENGLISH.said.textsStay);
    perform(writeTheRest, studio);
    await settled();
    await write(engine, 2, 4);
    expect(store.getState().laid.filter(({ status }) => status === "done")).toHaveLength(4);
  });

  it("sees the run where nothing of the grid is there yet", async () => {
    const { studio, engine, store } = await begun(gridOf("steps", "selfCondScale"));
    void studio.generation.getState().write(NEW);
    await settled();
    await engine.go();
    expect(isShown(store)).toBe(false);
    expect(studio.view.getState().said).toBe("");
  });

  it("is like whoever opens a run: one of them stays among them, and another is seen", async () => {
    const { studio, store, first } = await beside();
    const file = (run: Run) => new Blob([runAsFile(run)]);
    await studio.openFiles([file(first)]);
    expect(isShown(store)).toBe(true);
    await studio.openFiles([file(runOf(["▁the", "▁cat"]))]);
    expect(isShown(store)).toBe(false);
    studio.comparison.getState().turn(first);
    expect(isShown(store)).toBe(true);
    studio.runs.getState().add({ ...first, id: "linked", trajectory: { ...first.trajectory, ...NEW } });
    studio.openLinked({ model: "test", namesModel: true, recipe: NEW, experiment: null });
    expect(isShown(store)).toBe(false);
    expect(studio.runs.getState().selectedId).toBe("linked");
  });

  it("is like whoever turns to a run of the shelf: one of them stays among them, and another is seen", async () => {
    const { studio, store, first, second } = await beside();
    studio.runs.getState().add({ ...first, id: "newest", startedAt: 9, trajectory: { ...first.trajectory, ...NEW } });
    const command = () => commandsOf(studio).find(({ id }) => id === "run newest");
    const ways: readonly (() => void)[] = [
      () => studio.show("newest"),
      () => perform(newerRun, studio),
      () => perform(command()?.deed ?? newerRun, studio),
    ];
    for (const turn of ways) {
      studio.show(first.id);
      if (!isShown(store)) store.getState().turn(second);
      perform(newerRun, studio);
      expect(selectedRun(studio.runs.getState()), "one of them").toBe(second);
      expect(isShown(store), "one of them").toBe(true);
      turn();
      expect(isShown(store)).toBe(false);
      expect(studio.runs.getState().selectedId).toBe("newest");
    }
  });

  it("can turn by the palette to the run that experiments were made of, though it is the one selected", async () => {
    const { studio, store, first } = await beside();
    const why = () => commandsOf(studio).find(({ id }) => id === `run ${first.id}`)?.why;
    expect(why()).toBe(ENGLISH.palette.shown);
    void store.getState().begin(samplers, base);
    studio.runs.getState().select(first.id);
    expect(why()).toBeNull();
  });
});
