import * as z from "zod/mini";
import type { StoreApi } from "zustand/vanilla";
import { shippedSource } from "../../delivery/sources";
import { problemOf } from "../../flow/errors";
import { recipeOf } from "../../flow/recipe";
import { DTYPES, type Manifest } from "../../format/manifest";
import type { RecordedRun } from "../../format/trace";
import type { Player } from "../../player/createPlayer";
import type { Machine } from "../../runtime/memoryPlan";
import type { JudgeApi } from "../../worker/judgeProtocol";
import type { LibraryApi } from "../../worker/libraryProtocol";
import type { EngineClient } from "../../worker/protocol";
import type { Words } from "../words/english";
import { LANGUAGES } from "../words/languages";
import type { wordsIn } from "../words/wordsIn";
import type { Address, LinkedAddress } from "./address";
import { anotherModel, otherModelIn } from "./experiments/anotherModel";
import { type ComparisonStore, createComparison, runsOf } from "./experiments/comparison";
import { experimentNamed, RACE } from "./experiments/experiments";
import { createPhases, type PhasesStore } from "./experiments/phases";
import { createJudges, type Judges } from "./judging";
import type { RunArchive } from "./kept/archive";
import { createFolding, type Folding } from "./kept/folding";
import { createKeeping, type KeepingStore } from "./kept/keeping";
import { keepRunning } from "./kept/keepRunning";
import { linkArchive } from "./kept/linkArchive";
import { createOpening } from "./kept/opening";
import { followTabs, type TabChannel, toldOf } from "./kept/otherTabs";
import { keep, readKept, type TextStorage, watchedStorage } from "./kept/persisted";
import { createPreferences, type PreferencesStore } from "./kept/preferences";
import { createWords } from "./language";
import { createLibraryStore, type LibraryStore } from "./models/library";
import { createModel, type ModelStore } from "./models/model";
import { turnTo } from "./models/turnTo";
import { createOffline, type OfflineStore, type OfflineWorld } from "./offline";
import { runOfRecipe } from "./runs/family";
import { createPathFinding, type PathFindingStore } from "./runs/pathFinding";
import { createRuns, type RunsStore, selectedRun } from "./runs/runs";
import { RECORDED_RUN_ID, type Run, runFromRecording } from "./runs/shelfRun";
import { STOPS } from "./tour/stops";
import { createTour, type TourStore } from "./tour/tour";
import { createView, type Linked, type ViewStore } from "./view";
import { createDraft, type DraftStore } from "./writing/draft";
import { createGeneration, type GenerationStore } from "./writing/generation";
import { createHistory, type HistoryStore } from "./writing/history";
import { countPrompts } from "./writing/promptCount";
import { readOn } from "./writing/readingOn";
import { createSettings, type DrawSeed, type SettingsStore } from "./writing/settings";

/** Everything the page knows and can do, without the page. */
export interface Studio {
  /** Which backend the page's address asks for. */
  readonly backend: Address["backend"];
  readonly settings: StoreApi<SettingsStore>;
  readonly draft: StoreApi<DraftStore>;
  /** The way that settings and draft have come, to be gone back. */
  readonly history: StoreApi<HistoryStore>;
  readonly preferences: StoreApi<PreferencesStore>;
  /** What the page says. */
  readonly words: StoreApi<Words>;
  /** Resolves when the words of the language that is wanted now are there, or cannot be had. */
  spoken(): Promise<void>;
  readonly model: StoreApi<ModelStore>;
  readonly runs: StoreApi<RunsStore>;
  /** Shows the selected run. */
  readonly player: Player;
  readonly generation: StoreApi<GenerationStore>;
  readonly comparison: StoreApi<ComparisonStore>;
  readonly phases: StoreApi<PhasesStore>;
  readonly pathFinding: StoreApi<PathFindingStore>;
  /** `judgeBeside` says which of them stands beside a model. */
  readonly judges: Judges;
  /** Puts the frames of runs away that nobody looks at, and has them again. */
  readonly folding: Folding;
  readonly library: StoreApi<LibraryStore>;
  readonly view: StoreApi<ViewStore>;
  readonly tour: StoreApi<TourStore>;
  readonly keeping: StoreApi<KeepingStore>;
  readonly offline: StoreApi<OfflineStore>;
  /** The tokens of a text; takes the model to be loaded. */
  readonly tokenize: EngineClient["tokenize"];
  readonly share: World["share"];
  readonly copyEmbed: World["copyEmbed"];
  /** Calls `listener` whenever anything changes that the studio or its player knows. Returns what ends that. */
  watch(listener: () => void): () => void;
  /** Puts a run of the shelf onto the stage, to be seen: in the place of what stands side by side without it. */
  show(id: string): void;
  /** A run that the address tells of, or an experiment with it: shown where it is on the shelf, and offered where it is not. */
  openLinked(address: LinkedAddress): void;
  /**
   * Opens files of runs, or pictures of them: runs come to the shelf, the newest onto the stage; the run of a picture is shown
   * where it is on the shelf, and offered where it is not. Never rejects: what is wrong with a file becomes a problem.
   */
  openFiles(files: readonly Blob[]): Promise<void>;
  /** Fetches what a visit begins with: the recording, which plays at once, the manifest, and the runs kept before. */
  open(): Promise<void>;
}

/** What the studio needs from the world; tests bring their own. */
export interface World {
  /** Where the selected run is shown; the studio turns it. */
  readonly player: Player;
  readonly address: Address;
  readonly engine: EngineClient;
  readonly storage: TextStorage | null;
  /** Languages that the browser wants, the dearest first. */
  readonly languages: readonly string[];
  readonly loadWords?: typeof wordsIn;
  readonly archive: RunArchive;
  /** Where the browser's other tabs of this page are heard; null where they cannot be. */
  readonly tabs: TabChannel | null;
  readonly library: LibraryApi;
  readonly createJudge: () => JudgeApi;
  /** What keeps the page itself. */
  readonly offline: Omit<OfflineWorld, "pageUrl">;
  /** Address of the page. */
  readonly pageUrl: string;
  readonly fetchShippedNames: () => Promise<readonly string[]>;
  readonly findMachine: () => Promise<Machine>;
  /** Asks the browser not to clear the page's storage by itself. */
  readonly persist: () => Promise<boolean>;
  readonly fetchRecording: (model: string) => Promise<RecordedRun | null>;
  readonly fetchManifest: (model: string) => Promise<Manifest>;
  readonly now: () => number;
  readonly newId: () => string;
  readonly drawSeed?: DrawSeed;
  /**
   * Puts the address of a run into the address bar and on the clipboard: its end, `#…`, the model's name where that is
   * enough to have the model, and the name of the experiment that is made of the run, if one is. Rejects with
   * `NotCopiedError` where the browser lets nothing be copied.
   */
  readonly share: (hash: string, model: string | null, experiment?: string | null) => Promise<void>;
  /**
   * Puts a run onto the clipboard as pieces of text for other pages; `model` is its name where it ships with the page. Rejects
   * with `NotCopiedError` where the browser lets nothing be copied.
   */
  readonly copyEmbed: (run: Run, model: string | null) => Promise<void>;
}

const MODEL_KEY = "elf.model";
const choiceSchema = z.object({ baseUrl: z.string(), dtype: z.nullable(z.enum(DTYPES)) });

export function createStudio(world: World): Studio {
  const { address, engine, player, now, newId } = world;
  const archive = toldOf(world.archive, world.tabs);
  const keeping = createKeeping();
  const { lose } = keeping.getState();
  const storage = watchedStorage(world.storage, () => lose("settings"));
  const settings = createSettings(storage, address.model, world.drawSeed);
  const draft = createDraft(storage, address.model);
  const preferences = createPreferences(storage, player.display);
  const { words, settled: spoken } = createWords({
    preferences,
    languages: world.languages,
    load: world.loadWords,
    onMissing: (language) => view.getState().say(words.getState().said.languageMissing(LANGUAGES[language])),
  });
  const model = createModel(address.model);
  const runs = createRuns();
  const view = createView();
  const tour = createTour(storage, STOPS.length);
  const history = createHistory(settings, draft, now, words.getState);
  const library = createLibraryStore({ ...world, words: words.getState });
  const offline = createOffline({ ...world.offline, pageUrl: world.pageUrl });
  const keptChoice = readKept(storage, MODEL_KEY, choiceSchema);
  keep(model, storage, MODEL_KEY, ({ choice: { baseUrl, dtype } }) => ({ baseUrl, dtype }));
  const generation = createGeneration({
    engine,
    backend: address.backend,
    settings,
    draft,
    model,
    runs,
    newId,
    now,
    onEnded: (run) => void save(run),
  });
  const judges = createJudges({
    createJudge: world.createJudge,
    folderOf: (name) => shippedSource(name, world.pageUrl).baseUrl,
    model,
    library,
    runs,
    newId,
    now,
  });
  const comparison = createComparison({
    runs,
    model,
    generation,
    turnToModel: (name) => {
      const found = library.getState().models.find(({ manifest }) => manifest?.name === name);
      const { choice, manifest } = model.getState();
      if (!found || !manifest) return null;
      turnTo({ model, settings }, found, null);
      return () => {
        model.getState().choose(choice, manifest);
        settings.getState().turnTo(manifest.name, manifest.defaults, manifest.architecture.maxLength);
      };
    },
    writeByJudge: (judge, recipe, text) => judges[judge].getState().write(recipe, text),
    unfold: (folded) => folding.unfold(folded),
    onTaken: (run) => void save(run),
    onStays: () => view.getState().say(words.getState().said.textsStay),
  });
  const folding = createFolding({
    runs,
    archive,
    comparison,
    compared: () => comparedRuns(comparison, runs),
    onGone: ({ id, trajectory }) => {
      runs.getState().discard(id);
      view.getState().say(words.getState().said.noLongerKept);
      const { model: name } = trajectory;
      if (name === model.getState().name) view.getState().offer({ model: name, recipe: recipeOf(trajectory) });
    },
    onSilent: () => view.getState().say(words.getState().said.notHandedOut),
  });
  const phases = createPhases({ model, generation });
  const pathFinding = createPathFinding({ engine, model, runs, generation, view, onFound: (run) => void keepRun(run) });
  if (address.problem) generation.getState().raise(address.problem);
  runs.subscribe((now) => {
    const run = selectedRun(now);
    // What stood there stays until the frames of the next one are here.
    if (run || now.selectedId === null) player.show(run ?? null);
  });
  linkArchive(runs, archive, save);
  followTabs(runs, archive, world.tabs, folding);
  keepRunning(runs, save);
  model.subscribe(({ loaded }) => loaded?.lasting === false && lose("models"));
  library.subscribe(({ lasting }) => lasting === false && lose("models"));
  // Its runtime has come with it.
  model.subscribe((now, before) => now.loaded !== before.loaded && now.loaded && offline.getState().keepUsed());
  model.subscribe((now, before) => now.name !== before.name && draft.getState().turnTo(now.name));
  countPrompts(draft, model, engine);
  // Whoever writes wants to see it written.
  generation.subscribe(({ phase }, before) => phase !== before.phase && view.getState().openPrompt(false));
  readOn({
    engine,
    model,
    runs,
    generation,
    player,
    comparison,
    compared: () => comparedRuns(comparison, runs),
    onRead: (run) => void save(run),
  });

  async function openRecording(): Promise<void> {
    try {
      const recording = await world.fetchRecording(address.model);
      if (recording) {
        const run = runFromRecording(recording);
        const { defaults, maxLength } = settings.getState();
        if (model.getState().manifest === null) {
          settings
            .getState()
            .learn(
              { ...defaults, ...recording.trajectory.settings },
              Math.max(maxLength, run.trajectory.settings.length),
            );
        }
        // A person who is already looking at something else is not pulled away from it.
        const first = runs.getState().selectedId === null;
        runs.getState().add(run);
        if (first) {
          player.playback.getState().seek(0);
          player.playback.getState().play();
        }
      }
      view.getState().setRecording(recording ? "here" : "none");
    } catch (error) {
      view.getState().setRecording("none");
      generation.getState().raise(problemOf(error));
    }
  }

  /** Whether the model has become known already: the visitor has turned to one meanwhile, or loaded it. */
  function isKnown(): boolean {
    return model.getState().manifest !== null;
  }

  /** The model of the last visit, if it is still stored. Nobody is asked for it. */
  async function openKeptModel(): Promise<boolean> {
    const choice = address.namesModel ? undefined : keptChoice;
    if (!choice) return false;
    await library.getState().refresh();
    // What the visitor has asked for meanwhile is not taken from them: a load that is turned from writes nothing.
    if (isKnown() || generation.getState().phase !== "idle") return false;
    const kept = library.getState().models.find(({ source }) => source.baseUrl === choice.baseUrl);
    if (!kept?.manifest || (!kept.stored && kept.source.kind !== "shipped")) return false;
    turnTo({ model, settings }, kept, choice.dtype);
    return true;
  }

  async function openManifest(): Promise<void> {
    try {
      if (await openKeptModel()) return;
      const manifest = await world.fetchManifest(address.model);
      if (isKnown()) return;
      model.getState().describe(manifest);
      settings.getState().learn(manifest.defaults, manifest.architecture.maxLength);
    } catch {
      // Nothing was asked of the model yet. Generate fetches it again and says what is wrong.
    }
  }

  async function openArchive(): Promise<void> {
    const kept = await archive.all();
    if (kept === null) lose("runs");
    for (const { id } of kept ?? []) folding.kept(id);
    // The newest first, which is the one that comes on the stage where nothing else stands there.
    for (const run of kept?.toSorted((a, b) => b.startedAt - a.startedAt) ?? []) runs.getState().add(run);
  }

  async function save(run: Run): Promise<void> {
    // Its frames are where it came from.
    if (run.folded) return;
    const gone = await archive.save(run);
    if (gone === null) return lose("runs");
    folding.kept(run.id);
    for (const id of gone) folding.gone(id);
    const shelf = runs.getState();
    // Whose frames are here stays for this visit.
    for (const { id, folded } of shelf.runs) if (folded && gone.includes(id)) shelf.discard(id);
  }

  /** Saves a run, unless it is the recording, which comes with the page. */
  async function keepRun(run: Run): Promise<void> {
    if (run.id !== RECORDED_RUN_ID) await save(run);
  }

  function openLinked({ recipe, experiment: id, model: named, namesModel }: LinkedAddress): void {
    if (!recipe) return;
    const linked = { model: namesModel ? named : model.getState().name, recipe };
    const other = id === null ? undefined : otherModelIn(id);
    if (other !== undefined) return void openBeside(linked, other);
    if (id === RACE) return void openRace(linked);
    const experiment = id === null ? undefined : experimentNamed(id);
    if (experiment) view.getState().offer({ ...linked, experiment });
    else openRun(linked);
  }

  /** Shows a run where it is on the shelf, and offers it where it is not. */
  function openRun(linked: Linked): void {
    const here = runOfRecipe(linked.recipe, linked.model, runs.getState().runs);
    if (here) show(here.id);
    else view.getState().offer(linked);
  }

  function show(id: string): void {
    runs.getState().select(id);
    // One that cannot be shown is not.
    if (runs.getState().selectedId === id) comparison.getState().giveWay(id);
  }

  /** A run that a link tells of, beside that of another model; alone where there is no such model here. */
  async function openBeside(linked: Linked, other: string): Promise<void> {
    await library.getState().refresh();
    const here = manifestOf(linked);
    const there = library.getState().models.find(({ manifest }) => manifest?.name === other)?.manifest;
    if (here && there) view.getState().offer({ ...linked, experiment: anotherModel(here, there) });
    else openRun(linked);
  }

  /** A run that a link tells of, against the judge. */
  async function openRace(linked: Linked): Promise<void> {
    const { race } = await import("./experiments/race");
    const manifest = manifestOf(linked);
    if (manifest) view.getState().offer({ ...linked, experiment: race(manifest) });
    else openRun(linked);
  }

  /** Null where it is not known, or the visitor has turned to another model meanwhile. */
  function manifestOf(linked: Linked): Manifest | null {
    const { name, manifest } = model.getState();
    return name === linked.model ? manifest : null;
  }

  const openFiles = createOpening({
    ...{ runs, model, generation, view, words, newId, now, save, show },
    openRecipe: (recipe) => openRun({ model: model.getState().name, recipe }),
  });

  return {
    backend: address.backend,
    settings,
    draft,
    history,
    preferences,
    words,
    spoken,
    model,
    runs,
    player,
    generation,
    comparison,
    phases,
    pathFinding,
    folding,
    judges,
    library,
    view,
    tour,
    keeping,
    offline,
    tokenize: (text) => engine.tokenize(text),
    share: world.share,
    copyEmbed: world.copyEmbed,
    watch: (listener) => {
      const { run, playback, display, inspection } = player;
      const own = [
        settings,
        draft,
        history,
        preferences,
        words,
        model,
        runs,
        generation,
        comparison,
        phases,
        pathFinding,
        ...Object.values(judges),
        library,
        view,
        tour,
        keeping,
        offline,
      ];
      const ends = [...own, run, playback, display, inspection].map((store) => store.subscribe(listener));
      return () => {
        for (const end of ends) end();
      };
    },
    show,
    openLinked,
    openFiles,
    open: async () => {
      // The recording first: it is what the first second shows.
      await openRecording();
      await Promise.all([openManifest(), openArchive()]);
      openLinked(address);
      // Last: what it fetches stands in nobody's way then.
      void offline.getState().keepPage();
    },
  };
}

/** The runs of the shelf that stand side by side. */
function comparedRuns(comparison: StoreApi<ComparisonStore>, runs: StoreApi<RunsStore>): Run[] {
  const { shown } = comparison.getState();
  return shown ? runsOf(shown, runs.getState().runs).filter((run) => run !== undefined) : [];
}
