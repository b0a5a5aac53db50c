import { useEffect, useId, useState } from "react";
import { useStore } from "zustand";
import { judgeBeside } from "../../../delivery/shipped";
import type { Recipe } from "../../../flow/recipe";
import { seedAfter } from "../../../flow/settings";
import type { Manifest } from "../../../format/manifest";
import { describeSettings } from "../../../player/run/settingsInWords";
import { Button } from "../../../player/ui/Button";
import { experimentOn, shownOrDrafted, whyNotNow, writeItBack } from "../../actions/experiments";
import { anotherModel } from "../../session/experiments/anotherModel";
import {
  betweenSeeds,
  EXPERIMENTS,
  type Experiment,
  GRID_AXIS_NAMES,
  type GridAxis,
  gridOf,
  RACE,
} from "../../session/experiments/experiments";
import { race } from "../../session/experiments/race";
import { whyNotBack } from "../../session/experiments/wayBack";
import type { Studio } from "../../session/studio";
import { useStudio, useStudioValue, useWords } from "../StudioContext";
import { useAction } from "../ui/useAction";
import styles from "./Experiments.module.css";

/** Every experiment with what there is to be seen, and the grid of any two settings. */
export function ExperimentList() {
  const words = useWords();
  const { experiments } = words;
  const id = useId();
  const [rows, setRows] = useState<GridAxis>("steps");
  const [columns, setColumns] = useState<GridAxis>("gamma");
  const about = useStudioValue((studio) => {
    const base = shownOrNull(studio);
    return base ? describeSettings(base, words.player) : "";
  });
  return (
    <div className={styles.experiments}>
      <p className={styles.experimentsAbout}>{experiments.madeOf(about)}</p>
      <ul>
        {EXPERIMENTS.map((experiment) => (
          <Entry key={experiment.id} experiment={experiment} />
        ))}
        <AnotherModel />
        <Race />
      </ul>
      <section aria-labelledby={`${id}-grid`} className={styles.experimentsGrid}>
        <h3 id={`${id}-grid`}>{experiments.grid}</h3>
        <Axis label={experiments.down} value={rows} onChange={setRows} />
        <Axis label={experiments.across} value={columns} onChange={setColumns} />
        <Begin experiment={gridOf(rows, columns)} label={experiments.fill} />
      </section>
      <BetweenSeeds />
      <WayBack />
    </div>
  );
}

/** What experiments are made of now; null where it cannot be used, for which the reason stands beside each. */
function shownOrNull(studio: Studio): Recipe | null {
  try {
    return shownOrDrafted(studio);
  } catch {
    return null;
  }
}

function Entry({ experiment }: { experiment: Experiment }) {
  const words = useWords();
  return (
    <li data-experiment={experiment.id}>
      <h3>{experiment.title(words)}</h3>
      <p>{experiment.about(words)}</p>
      <Begin experiment={experiment} label={words.experiments.try} />
    </li>
  );
}

/** The run shown beside what another model of the shelf writes; nothing where there is no other. */
function AnotherModel() {
  const { library, model } = useStudio();
  const { experiments } = useWords();
  const id = useId();
  const here = useStore(model, ({ manifest }) => manifest);
  const models = useStore(library, ({ models }) => models);
  const [chosen, setChosen] = useState<string>();
  useEffect(() => void library.getState().refresh(), [library]);
  const others = models.flatMap(({ manifest }) => (manifest && manifest.name !== here?.name ? [manifest] : []));
  const isOfNoise = (other: Manifest) => other.architecture.latentSize === here?.architecture.latentSize;
  const other = others.find(({ name }) => name === chosen) ?? others.find(isOfNoise) ?? others[0];
  if (!here || !other) return null;
  return (
    <li data-experiment="model">
      <h3 id={`${id}-title`}>{experiments.anotherModel}</h3>
      <p>{experiments.anotherModelIs}</p>
      <label>
        {experiments.beside}{" "}
        <select value={other.name} onChange={({ target }) => setChosen(target.value)}>
          {others.map(({ name, title }) => (
            <option key={name} value={name}>
              {title}
            </option>
          ))}
        </select>
      </label>
      <Begin experiment={anotherModel(here, other)} label={experiments.try} />
    </li>
  );
}

/** The run shown beside what a next-word model writes. */
function Race() {
  const { model, judges } = useStudio();
  const words = useWords();
  const { experiments, judge, bytes: sizeOf } = words;
  const here = useStore(model, ({ manifest }) => manifest);
  const judging = judges[judgeBeside(here?.name ?? "")];
  const { status, bytes } = useStore(judging);
  useEffect(() => void judging.getState().look(), [judging]);
  if (!here) return null;
  const experiment = race(here);
  return (
    <li data-experiment={RACE}>
      <h3>{experiments.race}</h3>
      <p>{experiment.about(words)}</p>
      {status === "away" && bytes !== null && <p>{judge.isFetched(sizeOf(bytes))}</p>}
      <Begin experiment={experiment} label={experiments.try} />
    </li>
  );
}

/** The way to the noise of a seed that is typed; of the one after its own unless one is. */
function BetweenSeeds() {
  const { experiments } = useWords();
  const id = useId();
  const [typed, setTyped] = useState<string | null>(null);
  const own = useStudioValue((studio) => shownOrNull(studio)?.settings.seed ?? 0);
  const other = typed ?? String(seedAfter(own, 1));
  return (
    <section aria-labelledby={id} className={styles.experimentsGrid}>
      <h3 id={id}>{experiments.twoNoises}</h3>
      <label>
        <span>{experiments.fromNoise(own)}</span>{" "}
        <input
          type="text"
          inputMode="numeric"
          autoComplete="off"
          value={other}
          onChange={({ target }) => setTyped(target.value)}
          onFocus={({ target }) => target.select()}
        />
      </label>
      <Begin
        experiment={betweenSeeds(/^\d+$/.test(other.trim()) ? Number(other) : Number.NaN)}
        label={experiments.goBetween}
      />
    </section>
  );
}

/** The text shown, taken back to noise and forward again. */
function WayBack() {
  const studio = useStudio();
  const words = useWords();
  const id = useId();
  const write = useAction(writeItBack);
  const why = useStudioValue((studio) => whyNotBack(studio, words));
  return (
    <section aria-labelledby={id} className={styles.experimentsGrid}>
      <h3 id={id}>{words.experiments.wayBack}</h3>
      <p>{words.experiments.wayBackIs}</p>
      <Button
        {...write}
        aria-describedby={why === null ? undefined : `${id}-why`}
        onClick={() => {
          studio.view.getState().openExperiments(false);
          write.onClick();
        }}
      >
        {words.experiments.writeBack}
      </Button>
      {why !== null && (
        <span id={`${id}-why`} className={styles.experimentsWhy}>
          {why}
        </span>
      )}
    </section>
  );
}

function Begin({ experiment, label }: { experiment: Experiment; label: string }) {
  const studio = useStudio();
  const words = useWords();
  const id = useId();
  const begin = useAction(experimentOn(experiment));
  const why = useStudioValue((studio) => whyNotNow(experiment, studio));
  return (
    <>
      <Button
        {...begin}
        aria-label={`${label}: ${experiment.title(words)}`}
        aria-describedby={why === null ? undefined : id}
        onClick={() => {
          studio.view.getState().openExperiments(false);
          begin.onClick();
        }}
      >
        {label}
      </Button>
      {why !== null && (
        <span id={id} className={styles.experimentsWhy}>
          {why}
        </span>
      )}
    </>
  );
}

function Axis({ label, value, onChange }: { label: string; value: GridAxis; onChange: (value: GridAxis) => void }) {
  const { experiments } = useWords();
  return (
    <label>
      {label}{" "}
      <select value={value} onChange={({ target }) => onChange(target.value as GridAxis)}>
        {GRID_AXIS_NAMES.map((name) => (
          <option key={name} value={name}>
            {experiments.axes[name]}
          </option>
        ))}
      </select>
    </label>
  );
}
