import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { parseManifest } from "../../format/manifest";
import type { ShelfModel } from "../session/models/library";
import { loadFromShelf } from "../session/models/turnTo";
import { drawn, wordsOf } from "../testing/drawn";
import { settled } from "../testing/fakeEngine";
import { SETTINGS } from "../testing/runs";
import { testStudio } from "../testing/studio";
import { GeneratePanel } from "./generate/GeneratePanel";
import { ModelCard } from "./models/ModelCard";

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

  it("says that it is stopping, and takes no second press for that", async () => {
    const { studio, words } = await open();
    void studio.generation.getState().start();
    await settled();
    void studio.generation.getState().cancel();
    expect(words()).toMatch(/^\(Loading…\) \(Stopping…\)/);
  });

  it("says why it cannot generate, and does not offer to try again what cannot be tried", async () => {
    const { studio, words } = await open();
    const fault = { code: "session", message: "It failed.", action: "Once more?" };
    studio.generation.getState().raise(fault);
    expect(words()).toContain("It failed. Once more? [Try again] [Dismiss]");
    studio.settings.getState().enter("steps", "0");
    expect(words()).toMatch(/^\(Generate\) A number below cannot be used yet\./);
    expect(words()).toContain("(Try again) [Dismiss]");
    studio.generation.getState().raise({ ...fault, code: "untrusted-model" });
    expect(words()).not.toContain("Try again");
  });

  it("offers the run of a link, unless something is on its way already", async () => {
    const { studio, words } = await open();
    studio.view.getState().offer({ settings: SETTINGS });
    expect(words()).toContain("[Write it] [Leave it]");
    void studio.generation.getState().start();
    await settled();
    expect(words()).toContain("(Write it) [Leave it]");
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
