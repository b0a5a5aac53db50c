import { useStore } from "zustand";
import type { Schedule } from "../../../flow/settings";
import { Choice } from "../../../player/ui/Choice";
import { takesPrompt, writesFreely } from "../../session/writing/prompt";
import { ShowMe } from "../experiments/ShowMe";
import { useStudio } from "../StudioContext";
import styles from "./Controls.module.css";
import { NumberField } from "./NumberField";
import { Presets } from "./Presets";
import { SeedField } from "./SeedField";

const METHODS = [
  { value: "ode", label: "ODE" },
  { value: "sde", label: "SDE" },
] as const;

const SCHEDULES = [
  { value: "logit_normal", label: "Logit-normal" },
  { value: "quantile", label: "Quantile" },
  { value: "uniform", label: "Uniform" },
] as const;

const SCHEDULE_NOTES = {
  logit_normal: "Most steps while the text is still vague, where the words are chosen. Drawn from the seed.",
  quantile: "Spread as logit-normal would draw them, but evenly: the same for every seed.",
  uniform: "Steps evenly spread in t, from noise to text.",
} as const satisfies Record<Schedule, string>;

/** All that decides what the next run writes. */
export function Controls() {
  const studio = useStudio();
  const { method, schedule } = useStore(studio.settings, ({ values }) => values);
  const manifest = useStore(studio.model, ({ manifest }) => manifest);
  const free = useStore(studio.draft, ({ prompt }) => writesFreely(manifest, prompt));
  const { set } = studio.settings.getState();
  return (
    <aside className={styles.controls} aria-label="Settings of the next run">
      <Presets />
      <section className={styles.controlGroup}>
        <h2>Sampler</h2>
        <NumberField
          name="steps"
          label="Steps"
          symbol="N"
          slider={{ to: 128, step: 1 }}
          explanation="Stops on the way from noise to text. More of them make cleaner text and take longer."
        />
        <div className={styles.control}>
          <Choice label="Method" value={method} options={METHODS} onChange={(value) => set({ method: value })} />
          <p className={styles.controlNote}>
            <span>
              {method === "ode"
                ? "Straight along the flow: what the start noise says is final."
                : "Adds a little fresh noise before every step, so that early mistakes can be mended."}
            </span>{" "}
            <ShowMe setting="method" />
          </p>
        </div>
        {method === "sde" && (
          <NumberField
            name="gamma"
            label="Fresh noise"
            symbol="γ"
            slider={{ to: 8, step: 0.1 }}
            explanation="How much noise comes back before each step. None leaves mistakes standing; with much, a step keeps little but its last guess: plainer text, less varied."
          />
        )}
        <div className={styles.control}>
          <Choice
            label="Schedule"
            value={schedule}
            options={SCHEDULES}
            onChange={(value) => set({ schedule: value })}
          />
          <p className={styles.controlNote}>
            <span>{SCHEDULE_NOTES[schedule]}</span> <ShowMe setting="schedule" />
          </p>
        </div>
      </section>
      <section className={styles.controlGroup}>
        <h2>Guidance</h2>
        {takesPrompt(manifest) && (
          <NumberField
            name="cfgScale"
            label="Prompt"
            symbol="ω"
            slider={{ from: 0, to: 6, step: 0.1 }}
            explanation="How strongly it is drawn to what the prompt asks. 1 is none beyond reading it; more takes twice the time."
            idle={free ? "It has no effect while there is no prompt to be drawn to." : undefined}
          />
        )}
        <NumberField
          name="selfCondScale"
          label="Self-conditioning"
          symbol="w"
          slider={{ from: 0.5, to: 5, step: 0.1 }}
          explanation="How far it trusts its own last guess. Higher is safer, plainer prose; above 5 it was never trained."
        />
      </section>
      <section className={styles.controlGroup}>
        <h2>Start</h2>
        <SeedField />
        <NumberField
          name="length"
          label="Length"
          symbol="L"
          slider={{ from: 1, step: 1 }}
          explanation="Tokens to write. The text may end sooner; what stands after its end fades."
        />
      </section>
    </aside>
  );
}
