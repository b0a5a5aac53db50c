import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { UntrustedModelError } from "../../delivery/graphCheck";
import { UnreachableError } from "../../delivery/store/errors";
import { linkTo } from "../../format/link";
import { parseManifest } from "../../format/manifest";
import { betweenSeeds } from "../session/experiments/experiments";
import type { ShelfModel } from "../session/models/library";
import { loadFromShelf } from "../session/models/turnTo";
import type { Run } from "../session/runs/shelfRun";
import { drawn, wordsOf } from "../testing/drawn";
import { MANIFEST, settled } from "../testing/fakeEngine";
import { runOf, SETTINGS } from "../testing/runs";
import { testStudio } from "../testing/studio";
import { Presets } from "./controls/Presets";
import { SeedField } from "./controls/SeedField";
import { GeneratePanel } from "./generate/GeneratePanel";
import { ModelChip } from "./header/ModelChip";
import { HeldStrip } from "./held/HeldStrip";
import { ModelCard } from "./models/ModelCard";
import { PromptBox } from "./prompt/PromptBox";
import { Shelf } from "./shelf/Shelf";
import { EmptyStage } from "./stage/EmptyStage";
import { Printed } from "./stage/Printed";
import { TokenChoices } from "./stage/TokenChoices";

const PAGE = "https://page.example/";

beforeEach(() => vi.stubGlobal("document", { baseURI: PAGE }));
afterEach(() => vi.unstubAllGlobals());

describe("the panel that generates", () => {
  async function open() {
    const test = testStudio();
    await test.studio.open();
    return { ...test, words: () => wordsOf(drawn(test.studio, <GeneratePanel />)) };
  }

  it("goes from Generate through loading and running back to Generate", async () => {
    const { studio, engine, words } = await open();
    expect(words()).toMatch(/^\[Generate\] Loads 1 kB once/);
    void studio.generation.getState().start();
    await settled();
    expect(words()).toMatch(/^\(Loading…\) \[Cancel\] Asking for the model/);
    await engine.go();
    expect(words()).toMatch(/^\[Write anew\] \[Cancel\] Step 0 of 3/);
    await engine.go(4);
    expect(words()).toBe("[Generate]");
  });

  it("tells how far a run of a grid is, and how many of a hundred are counted, none of which is on the shelf", async () => {
    const { studio, engine, words } = await open();
    void studio.comparison.getState().begin(betweenSeeds(9), { settings: SETTINGS });
    await settled();
    await engine.go();
    await engine.go(3);
    await vi.waitFor(() => expect(words()).toMatch(/^\[Write anew\] \[Cancel\] Step 2 of 3/));
    await studio.generation.getState().cancel();
    await settled();
    const [recorded] = studio.runs.getState().runs;
    void studio.phases.getState().count(recorded as Run);
    await settled();
    expect(words()).toMatch(/^\[Write anew\] \[Cancel\] 0 of 100 runs counted\./);
    await engine.go(8);
    expect(words()).toMatch(/^\[Write anew\] \[Cancel\] 2 of 100 runs counted\./);
    expect(drawn(studio, <GeneratePanel />)).toContain('aria-valuenow="2" aria-valuetext="2 of 100 runs counted."');
  });

  it("says that it is stopping, and takes no second press for that", async () => {
    const { studio, words } = await open();
    void studio.generation.getState().start();
    await settled();
    void studio.generation.getState().cancel();
    expect(words()).toMatch(/^\(Loading…\) \(Stopping…\)/);
  });

  it("says why it cannot generate, and does not offer to try again what cannot be tried", async () => {
    const { studio, engine, words } = await open();
    const fault = { code: "session", message: "It failed.", action: "Once more?" };
    engine.fault.load = new UnreachableError(fault.message, fault.action);
    await studio.generation.getState().start();
    expect(words()).toContain("It failed. Once more? [Try again] [Dismiss]");
    studio.settings.getState().enter("steps", "0");
    expect(words()).toMatch(/^\(Generate\) A number below cannot be used yet\./);
    expect(words()).toContain("(Try again) [Dismiss]");
    engine.fault.load = new UntrustedModelError(fault.message, fault.action);
    await studio.generation.getState().start();
    expect(words()).toContain("It failed. Once more? [Dismiss]");
    expect(words()).not.toContain("Try again");
    studio.generation.getState().raise(fault);
    expect(words(), "what came of no run").not.toContain("Try again");
  });

  it("offers wasm in place of the GPU that its address asks for, and the run of that address with it", async () => {
    const { studio } = await open();
    vi.stubGlobal("location", { search: "?backend=webgpu", hash: linkTo({ settings: SETTINGS }) });
    studio.generation.getState().raise({ code: "no-web-gpu", message: "There is none.", action: "Use wasm." });
    expect(drawn(studio, <GeneratePanel />)).toContain('href="?backend=wasm#run=');
  });

  it("offers the run of a link, unless something is on its way already", async () => {
    const { studio, words } = await open();
    studio.view.getState().offer({ model: "test", recipe: { settings: SETTINGS } });
    expect(words()).toContain("[Write it] [Leave it]");
    void studio.generation.getState().start();
    await settled();
    expect(words()).toContain("(Write it) [Leave it]");
    // Another model would write something else by it.
    studio.model.setState({ name: "another" });
    expect(words()).not.toContain("Write it");
  });
});

describe("a model of the shelf", () => {
  const manifest = parseManifest(readFileSync("test/fixtures/tiny-model/manifest.json", "utf8"));
  const source = { kind: "hub", baseUrl: "https://hub.example/a/b/", label: "a/b", host: "hub.example" } as const;
  const model: ShelfModel = { source, manifest, stored: null };

  function open() {
    const test = testStudio();
    const words = (shown = model) => wordsOf(drawn(test.studio, <ModelCard model={shown} />));
    return { ...test, library: test.studio.library, words };
  }

  it("can be loaded or only be downloaded, and deleted once there is something of it", () => {
    const { library, words } = open();
    library.setState({ lasting: true });
    expect(words()).toMatch(/from the hub .* \[Load\] \[Download only\]$/);
    const part = { baseUrl: source.baseUrl, manifest, dtypes: {}, bytes: 10, ownBytes: 10 };
    expect(words({ ...model, stored: part })).toMatch(/stored in part .* \[Load\] \[Download only\] \[Delete…\]$/);
    library.setState({ lasting: false });
    expect(words()).toMatch(/\[Load\]$/);
  });

  it("cannot be loaded where it does not fit, and says what would", () => {
    const { library, words } = open();
    library.setState({ machine: { limits: null, deviceBytes: 1e6 } });
    const architecture = { ...manifest.architecture, parameters: 3e9, hiddenSize: 8192, depth: 40 };
    const large = { ...model, manifest: { ...manifest, architecture } };
    expect(words(large)).toMatch(/It does not fit here\. .* \(Load\)$/);
  });

  it("is in use when it is loaded, and can be cancelled while it comes", async () => {
    const { studio, engine, library, words } = open();
    engine.manifest = manifest;
    const loading = loadFromShelf(studio, model, "f32");
    await settled();
    expect(words()).toMatch(/loading .* \[Cancel\]$/);
    await engine.go();
    await loading;
    expect(words()).toMatch(/in use .* Runs on: WASM · 1 thread\. A test\. .*\(In use\)/);
    const download = { baseUrl: source.baseUrl, dtype: "f32", progress: null, wait: null } as const;
    library.setState({ download });
    expect(words()).toMatch(/\[Cancel\]$/);
    library.setState({ download: { ...download, baseUrl: "https://hub.example/c/d/" }, lasting: true });
    expect(words()).toMatch(/\(In use\) \(Download only\)$/);
  });
});

describe("the shelf of runs", () => {
  it("tells how a run came about, and offers to delete what was written here, once it stands still", () => {
    const { studio } = testStudio();
    const { add } = studio.runs.getState();
    const words = () => wordsOf(drawn(studio, <Shelf />));
    expect(words()).toBe("");
    add(runOf(["▁the ▁cat"], { id: "recorded", origin: "recorded", backend: null, seconds: null, startedAt: 0 }));
    const { trajectory } = runOf(["▁the ▁cat"]);
    add(runOf(["▁the ▁cat"], { id: "parent", text: "the cat", startedAt: 1 }));
    const from = { run: { settings: SETTINGS }, step: 2 };
    const fork = { ...trajectory, from, held: [{ position: 0, token: 3 }] };
    add(runOf(["▁the ▁cat"], { id: "fork", trajectory: fork, startedAt: 2 }));
    add(runOf(["▁the ▁cat"], { id: "going", status: "running", startedAt: 3 }));
    expect(studio.runs.getState().runs).toHaveLength(4);
    // Of four runs the two that are done and were written here.
    expect(drawn(studio, <Shelf />).match(/Delete the run/g)).toHaveLength(2);
    expect(words()).toMatch(/from step 2 of .* · 1 token held/);
    expect(words()).not.toContain("Run deleted");
    studio.runs.getState().remove("fork");
    expect(words()).toMatch(/Run deleted\. \[Undo\]$/);
  });

  it("says of a run without a word that it has none", () => {
    const { studio } = testStudio();
    studio.runs.getState().add(runOf([], { text: " ", status: "running" }));
    expect(wordsOf(drawn(studio, <Shelf />))).toContain("No words yet.");
  });
});

describe("the chip of the model", () => {
  const open = async () => {
    const test = testStudio();
    await test.studio.open();
    return { ...test, words: () => wordsOf(drawn(test.studio, <ModelChip />)) };
  };

  it("says where the model stands, from its recording until it is loaded", async () => {
    const { studio, engine, words } = await open();
    expect(words()).toBe("[Test recorded]");
    void studio.generation.getState().start();
    await settled();
    expect(words()).toBe("[Test loading]");
    const download = { loadedBytes: 1, totalBytes: 3, done: 0, count: 1 };
    studio.model.setState({ progress: { phase: "download", download } as never });
    expect(words()).toBe("[Test loading 33 %]");
    await engine.go();
    expect(words()).toMatch(/^\[Test WASM .*1 kB\]$/);
    studio.model.setState({ status: "lost", loaded: null });
    expect(words()).toBe("[Test not loaded]");
  });

  it("does not take the recording of another model for this one's", async () => {
    const { studio, words } = await open();
    studio.model.setState({ name: "other", manifest: null });
    expect(words()).toBe("[other not loaded]");
  });
});

describe("the box of the prompt", () => {
  const prompted = (change: object, files = MANIFEST.files) => ({
    ...MANIFEST,
    description: "Write on. It is small.",
    examples: ["a cat", "a cat", "a dog"],
    files,
    architecture: { ...MANIFEST.architecture, maxInputLength: 4, ...change },
  });

  function open(manifest = MANIFEST) {
    const { studio } = testStudio();
    studio.model.setState({ manifest });
    return { draft: studio.draft, html: () => drawn(studio, <PromptBox />) };
  }

  it("is there for models that take one, alone", () => {
    expect(open().html()).toBe("");
    expect(wordsOf(open(prompted({})).html())).toMatch(
      /Write on at most 4 tokens Try \[a cat\] \[a dog\] It is small\.$/,
    );
    expect(wordsOf(open(prompted({ sourceOptional: true })).html())).toContain("optional, at most 4 tokens");
  });

  it("finds fault with what was typed, and not with an empty box", () => {
    const { draft, html } = open(prompted({}));
    expect(html()).toContain('aria-invalid="false"');
    draft.setState({ prompt: "a b c d e", promptTokens: 5 });
    expect(html()).toContain('aria-invalid="true"');
    expect(wordsOf(html())).toMatch(/5 of 4 tokens .* 5 tokens are too many: this model reads at most 4\./);
  });

  it("takes numbers where there is no tokenizer, and offers no texts then", () => {
    const { draft, html } = open(
      prompted(
        {},
        MANIFEST.files.filter(({ path }) => path !== "tokenizer.json"),
      ),
    );
    draft.setState({ prompt: "a cat" });
    expect(wordsOf(html())).toMatch(/Write to, as numbers of tokens .*This model has no tokenizer/);
    expect(html()).not.toContain("<li>");
  });
});

describe("words that are held", () => {
  it("stand in a strip while there are any, and at their places in a card", () => {
    const { studio } = testStudio();
    const run = runOf(["▁the ▁cat"], { trajectory: { ...runOf(["▁the ▁cat"]).trajectory, model: "test" } });
    const strip = () => wordsOf(drawn(studio, <HeldStrip />));
    const card = () => wordsOf(drawn(studio, <TokenChoices run={run} position={1} />));
    studio.runs.getState().add(run, true);
    studio.player.inspection.getState().pin(1);
    expect(strip()).toBe("0 words held in the next run");
    expect(card()).toMatch(/^\[Hold this word\] or hold another \[Hold\]$/);
    studio.draft.getState().hold([{ position: 1, token: 4, word: "cat" }]);
    expect(strip()).toMatch(/^1 word held in the next run Held in the next run \[2 cat\] \[Clear\]$/);
    expect(card()).toMatch(/^\[Let go\]/);
    studio.model.setState({ name: "other" });
    expect(card(), "of another model's run no word can be held").toBe("");
  });
});

describe("what a run is to be like", () => {
  it("is a preset for as long as its settings are", async () => {
    const { studio } = testStudio();
    await studio.open();
    const chosen = () => /aria-pressed="true"[^>]*>([^<]*)/.exec(drawn(studio, <Presets />))?.[1];
    expect(chosen()).toMatch(/^This model/);
    studio.settings.getState().enter("steps", "5");
    expect(chosen()).toBeUndefined();
    expect(wordsOf(drawn(studio, <Presets />))).toMatch(/Settings of your own\.$/);
  });

  it("says whether the next one draws its own noise", () => {
    const { studio } = testStudio();
    const field = () => drawn(studio, <SeedField />);
    expect(wordsOf(field())).toContain("Each run draws its own");
    expect(field()).toMatch(/aria-label="Keep this seed" aria-pressed="false"/);
    studio.settings.setState({ seedLocked: true });
    expect(wordsOf(field())).toContain("the same settings write the same text again");
    expect(field()).toMatch(/aria-label="Seed is kept for every run" aria-pressed="true"/);
  });
});

describe("a stage without a run", () => {
  it("says what pressing Generate brings and costs, and no more of that once it is pressed", async () => {
    const { studio, engine } = testStudio({ fetchRecording: async () => null });
    await studio.open();
    const words = () => wordsOf(drawn(studio, <EmptyStage />));
    expect(words()).toMatch(/Press Generate .*and it writes one here, once its 1 kB are loaded\.$/);
    void studio.generation.getState().start();
    await settled();
    expect(words()).toMatch(/The first words come as soon as the model is ready\.$/);
    await engine.go();
  });
});

describe("a print", () => {
  it("links to the run and its model, to no experiment, and to no model that has no address", async () => {
    const { studio } = testStudio();
    await studio.open();
    vi.stubGlobal("location", { href: `${PAGE}?model=old&experiment=guidance#run=y` });
    const link = () => /https:[^<]*/.exec(drawn(studio, <Printed className={undefined} />))?.[0];
    expect(link()).toMatch(/^https:\/\/page\.example\/\?model=test#run=/);
    const { choice, choose } = studio.model.getState();
    choose(choice, { ...MANIFEST, name: "other" });
    expect(link()).toMatch(/^https:\/\/page\.example\/#run=/);
    choose({ ...choice, kind: "hub" }, MANIFEST);
    expect(link()).toMatch(/^https:\/\/page\.example\/#run=/);
  });
});

describe("the page", () => {
  it("has each of its parts on its own, so that one that fails takes no other with it", () => {
    const lines = readFileSync(`${import.meta.dirname}/App.tsx`, "utf8").split("\n");
    const parts = lines.flatMap((line, i) =>
      /^ +<[A-Z]\w+( .*)? \/>$/.test(line) ? [[lines[i - 1]?.trim(), line.trim()]] : [],
    );
    expect(parts.length).toBeGreaterThan(15);
    expect(parts.filter(([around = ""]) => !around.startsWith("<Part "))).toEqual([]);
  });
});
