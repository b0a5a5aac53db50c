import { useStore } from "zustand";
import type { Schedule } from "../../../flow/settings";
import { Choice } from "../../../player/ui/Choice";
import { takesPrompt, writesFreely } from "../../session/writing/prompt";
import { ShowMe } from "../experiments/ShowMe";
import { useStudio, useWords } from "../StudioContext";
import styles from "./Controls.module.css";
import { GammaField } from "./GammaField";
import { NumberField } from "./NumberField";
import { Presets } from "./Presets";
import { SeedField } from "./SeedField";

const METHODS = [
  { value: "ode", label: "ODE" },
  { value: "sde", label: "SDE" },
] as const;

const SCHEDULES = ["logit_normal", "quantile", "uniform"] as const satisfies readonly Schedule[];

/** All that decides what the next run writes. */
export function Controls() {
  const studio = useStudio();
  const words = useWords().settings;
  const { method, schedule } = useStore(studio.settings, ({ values }) => values);
  const manifest = useStore(studio.model, ({ manifest }) => manifest);
  const free = useStore(studio.draft, ({ prompt }) => writesFreely(manifest, prompt));
  const { set } = studio.settings.getState();
  return (
    <aside className={styles.controls} aria-label={words.label}>
      <Presets />
      <section className={styles.controlGroup}>
        <h2>{words.sampler}</h2>
        <NumberField
          name="steps"
          label={words.steps.name}
          symbol="N"
          slider={{ to: 128, step: 1 }}
          explanation={words.steps.is}
        />
        <div className={styles.control}>
          <Choice
            label={words.method.name}
            value={method}
            options={METHODS}
            onChange={(value) => set({ method: value })}
          />
          <p className={styles.controlNote}>
            <span>{words.method[method]}</span> <ShowMe setting="method" />
          </p>
        </div>
        {method === "sde" && <GammaField />}
        <div className={styles.control}>
          <Choice
            label={words.schedule.name}
            value={schedule}
            options={SCHEDULES.map((value) => ({ value, label: words.schedule.names[value] }))}
            onChange={(value) => set({ schedule: value })}
          />
          <p className={styles.controlNote}>
            <span>{words.schedule.are[schedule]}</span> <ShowMe setting="schedule" />
          </p>
        </div>
      </section>
      <section className={styles.controlGroup}>
        <h2>{words.guidance}</h2>
        {takesPrompt(manifest) && (
          <NumberField
            name="cfgScale"
            label={words.cfgScale.name}
            symbol="ω"
            slider={{ from: 0, to: 6, step: 0.1 }}
            explanation={words.cfgScale.is}
            idle={free ? words.cfgScale.idle : undefined}
          />
        )}
        <NumberField
          name="selfCondScale"
          label={words.selfCondScale.name}
          symbol="w"
          slider={{ from: 0.5, to: 5, step: 0.1 }}
          explanation={words.selfCondScale.is}
        />
      </section>
      <section className={styles.controlGroup}>
        <h2>{words.start}</h2>
        <SeedField />
        <NumberField
          name="length"
          label={words.length.name}
          symbol="L"
          slider={{ from: 1, step: 1 }}
          explanation={words.length.is}
        />
      </section>
    </aside>
  );
}
