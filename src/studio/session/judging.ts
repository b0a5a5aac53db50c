import { createStore, type StoreApi } from "zustand/vanilla";
import { judgeBeside, type ShippedJudge } from "../../delivery/shipped";
import type { DownloadProgress } from "../../delivery/store/download";
import { isCancellation, type Problem, problemOf } from "../../flow/errors";
import type { Judgement } from "../../flow/judging";
import { type Recipe, recipeOf, rootOf } from "../../flow/recipe";
import type { JudgeManifest } from "../../format/judgeManifest";
import type { JudgedRun } from "../../player/lenses/judged";
import type { JudgeApi, TextToJudge } from "../../worker/judgeProtocol";
import type { LibraryStore } from "./models/library";
import type { ModelStore } from "./models/model";
import type { RunsStore } from "./runs/runs";
import type { Run } from "./runs/shelfRun";

/** Words of a text that it is told by. */
const LABEL_WORDS = 6;

/** The next-word models that ship, each of which judges the runs that it stands beside. */
export type Judges = Readonly<Record<ShippedJudge, StoreApi<JudgingStore>>>;

/** A small next-word model that judges texts of the shelf, and can write one itself. Fetched when it is asked for. */
export interface JudgingStore {
  readonly status: "away" | "coming" | "here";
  readonly manifest: JudgeManifest | null;
  /** Whether it writes a text just now. */
  readonly isWriting: boolean;
  /** What fetching it takes; null while that is not known. */
  readonly bytes: number | null;
  readonly progress: DownloadProgress | null;
  readonly problem: Problem | null;
  /** By the run's id, of runs that are whole. */
  readonly judgements: ReadonlyMap<string, Judgement>;

  /** Finds out what fetching it would take. Never rejects. */
  look(): Promise<void>;
  /** Fetches it and judges what is on the shelf, and from then on each run that ends. Never rejects: see `problem`. */
  fetch(): Promise<void>;
  /** Ends what is fetched or written. */
  cancel(): Promise<void>;
  /**
   * Lets it write what goes on from the prompt of a recipe, or from the first word of `text`, by the recipe's seed and length.
   * The run has the recipe's name and is on no shelf. @throws whatever fetching or writing does.
   */
  write(recipe: Recipe, text: string): Promise<Run>;
}

export interface JudgesParts extends Omit<JudgingParts, "name" | "judge" | "baseUrl"> {
  /** Makes a client of a judge, each with a worker of its own. */
  readonly createJudge: () => JudgeApi;
  /** The folder of a model that ships. */
  readonly folderOf: (name: string) => string;
}

export function createJudges({ createJudge, folderOf, ...parts }: JudgesParts): Judges {
  const made = (name: ShippedJudge) => createJudging({ ...parts, name, judge: createJudge(), baseUrl: folderOf(name) });
  return { "stories-judge": made("stories-judge"), "translate-yardstick": made("translate-yardstick") };
}

export interface JudgingParts {
  readonly name: ShippedJudge;
  readonly judge: JudgeApi;
  /** The folder of the judge. */
  readonly baseUrl: string;
  readonly model: StoreApi<ModelStore>;
  readonly library: StoreApi<LibraryStore>;
  readonly runs: StoreApi<RunsStore>;
  readonly newId: () => string;
  readonly now: () => number;
}

export function createJudging({
  name,
  judge,
  baseUrl,
  model,
  library,
  runs,
  newId,
  now,
}: JudgingParts): StoreApi<JudgingStore> {
  let isJudging = false;
  /** Of its token ids. */
  let pieces: readonly string[] = [];
  let opening: Promise<JudgeManifest> | undefined;

  const store = createStore<JudgingStore>()((set, get) => {
    /** Has the judge here; asked for twice at once, it is fetched once. */
    function open(): Promise<JudgeManifest> {
      opening ??= openAnew().finally(() => {
        opening = undefined;
      });
      return opening;
    }

    async function openAnew(): Promise<JudgeManifest> {
      set({ status: "coming", problem: null, progress: null });
      try {
        const { manifest, bytes } = await judge.look(baseUrl);
        set({ manifest, bytes });
        pieces = await judge.open(baseUrl, (progress) => set({ progress }));
        set({ status: "here", progress: null });
        return manifest;
      } catch (error) {
        set({ status: "away", progress: null });
        throw error;
      }
    }

    return {
      status: "away",
      isWriting: false,
      manifest: null,
      bytes: null,
      progress: null,
      problem: null,
      judgements: new Map(),

      look: async () => {
        if (get().manifest) return;
        // Whoever asks for it later is told why it cannot be had.
        await judge.look(baseUrl).then(set, () => {});
      },
      fetch: async () => {
        if (get().status !== "away") return;
        try {
          await open();
        } catch (error) {
          if (!isCancellation(error)) set({ problem: problemOf(error) });
        }
        void judgeTheRest();
      },
      cancel: () => judge.cancel(),
      write: async (recipe, text) => {
        const { status, manifest: here } = get();
        const manifest = status === "here" && here ? here : await open();
        void judgeTheRest();
        const { seed, length } = recipe.settings;
        const source = promptText(recipe) || firstWord(text);
        const startedAt = now();
        set({ isWriting: true });
        const {
          given,
          drawn,
          text: written,
          seconds,
        } = await judge.write({ source, seed, length }).finally(() => set({ isWriting: false }));
        // Comes when it is wanted.
        const { framesByToken } = await import("../../flow/judging");
        // A prompt stands before the text; a first word is part of it.
        const isPrompted = promptText(recipe) !== "";
        const frames = framesByToken(isPrompted ? [] : given, drawn, manifest.eos);
        return {
          id: newId(),
          status: "done",
          trajectory: { ...recipeOf(recipe), model: manifest.name, times: frames.map(({ t }) => t), frames },
          pieces,
          eos: manifest.eos,
          text: isPrompted ? written : `${source} ${written}`,
          origin: "generated",
          modelTitle: manifest.title,
          backend: "wasm",
          seconds,
          startedAt,
        };
      },
    };
  });

  /** What a run's text goes on from, or answers: its prompt. Of one that answers prompts a judge that does not is told nothing. */
  function sourceOf(run: Run): string {
    if (store.getState().manifest?.source) return promptText(rootOf(run.trajectory));
    const { models } = library.getState();
    const manifests = [model.getState().manifest, ...models.map(({ manifest }) => manifest)];
    const own = manifests.find((manifest) => manifest?.name === run.trajectory.model);
    return own?.architecture.sourceOptional ? promptText(rootOf(run.trajectory)) : "";
  }

  async function judgeTheRest(): Promise<void> {
    if (isJudging) return;
    isJudging = true;
    try {
      for (let run = next(); run; run = next()) {
        const { id } = run;
        const asked: TextToJudge = { text: run.text, source: sourceOf(run) };
        const [judgement] = await judge.judge([asked]);
        if (judgement) store.setState(({ judgements }) => ({ judgements: new Map(judgements).set(id, judgement) }));
        else break;
      }
    } catch (error) {
      // A judge that fails once is fetched again by whoever still wants it.
      store.setState({ status: "away", problem: problemOf(error) });
    } finally {
      isJudging = false;
    }
  }

  function next(): Run | undefined {
    const { status, judgements } = store.getState();
    if (status !== "here") return undefined;
    return runs
      .getState()
      .runs.find(
        ({ id, status, trajectory }) =>
          status === "done" &&
          judgeBeside(trajectory.model) === name &&
          !judgements.has(id) &&
          !isUnreadable(trajectory),
      );
  }

  /** Whether it answers a prompt of numbers, which a judge of answers cannot read. */
  function isUnreadable(recipe: Recipe): boolean {
    return store.getState().manifest?.source !== undefined && promptText(rootOf(recipe)) === "";
  }

  runs.subscribe(() => void judgeTheRest());
  return store;
}

/** What the judge has said of runs that are still on the shelf. A text of which no token counts has no figures. */
export function judgedRuns(runs: readonly Run[], judgements: JudgingStore["judgements"]): JudgedRun[] {
  return runs.flatMap(({ id, text }) => {
    const { perplexity = null, entropy = 0 } = judgements.get(id) ?? {};
    return perplexity === null ? [] : [{ id, label: beginningOf(text), perplexity, entropy }];
  });
}

function beginningOf(text: string): string {
  const words = text.trim().split(/\s+/);
  return words.length > LABEL_WORDS ? `${words.slice(0, LABEL_WORDS).join(" ")} …` : words.join(" ");
}

function promptText({ prompt }: Recipe): string {
  return prompt && "text" in prompt ? prompt.text.trim() : "";
}

function firstWord(text: string): string {
  return text.trim().split(/\s+/)[0] ?? "";
}
