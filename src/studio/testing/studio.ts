import { createPlayer } from "../../player/createPlayer";
import type { Address } from "../session/address";
import type { RunArchive } from "../session/kept/archive";
import type { TextStorage } from "../session/kept/persisted";
import { foldRun, type Run } from "../session/runs/shelfRun";
import { createStudio, type Studio, type World } from "../session/studio";
import { FakeEngine, MANIFEST } from "./fakeEngine";
import { FakeJudge } from "./fakeJudge";
import { FakeLibrary } from "./fakeLibrary";
import { runOf } from "./runs";

export class MapStorage implements TextStorage {
  readonly map = new Map<string, string>();
  getItem(key: string): string | null {
    return this.map.get(key) ?? null;
  }
  setItem(key: string, value: string): void {
    this.map.set(key, value);
  }
}

export class MapArchive implements RunArchive {
  readonly kept = new Map<string, Run>();
  async save(run: Run): Promise<readonly string[] | null> {
    this.kept.set(run.id, run);
    return [];
  }
  async remove(id: string): Promise<void> {
    this.kept.delete(id);
  }
  async get(id: string): Promise<Run | null | undefined> {
    return this.kept.get(id) ?? null;
  }
  async all(): Promise<Run[]> {
    return [...this.kept.values()].map(foldRun);
  }
}

export interface TestStudio {
  readonly studio: Studio;
  readonly engine: FakeEngine;
  readonly archive: MapArchive;
  readonly storage: MapStorage;
}

const ADDRESS: Address = {
  model: "test",
  namesModel: true,
  backend: "auto",
  recipe: null,
  experiment: null,
  problem: null,
};

/** A studio with a fake engine, a clock that counts up, and a recording of four frames. */
export function testStudio(change: Partial<World> = {}): TestStudio {
  const engine = new FakeEngine();
  const archive = new MapArchive();
  const storage = new MapStorage();
  let ticks = 1000;
  let ids = 0;
  let seeds = 100;
  const recorded = runOf(["▁sat ▁sat", "▁the ▁sat", "▁the ▁cat", "▁the ▁cat"]);
  const studio = createStudio({
    address: ADDRESS,
    // Nobody looks: time stands where a test puts it.
    player: createPlayer({ visibility: Object.assign(new EventTarget(), { hidden: true }) }),
    engine,
    storage,
    languages: ["en"],
    archive,
    tabs: null,
    fetchRecording: async () => ({
      title: "Test",
      text: "the cat",
      trajectory: recorded.trajectory,
      pieces: recorded.pieces,
      eos: recorded.eos,
    }),
    fetchManifest: async () => MANIFEST,
    library: new FakeLibrary(),
    createJudge: () => new FakeJudge(),
    offline: { container: null, caches: null, reload: () => {} },
    pageUrl: "https://page.example/",
    fetchShippedNames: async () => ["test"],
    findMachine: async () => ({ limits: null, deviceBytes: null }),
    persist: async () => true,
    now: () => ticks++,
    newId: () => `run-${++ids}`,
    drawSeed: () => ++seeds,
    share: async () => {},
    copyEmbed: async () => {},
    ...change,
  });
  return { studio, engine, archive, storage };
}
