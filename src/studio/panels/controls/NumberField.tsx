import { Slider } from "radix-ui";
import { useId } from "react";
import { useStore } from "zustand";
import { settingLimits } from "../../../flow/settings";
import type { NumberSetting } from "../../session/writing/settings";
import { ShowMe } from "../experiments/ShowMe";
import { useStudio, useWords } from "../StudioContext";
import controlsStyles from "./Controls.module.css";
import styles from "./NumberField.module.css";
import { NumberInput } from "./NumberInput";

interface Props {
  name: NumberSetting;
  label: string;
  /** The paper's letter for it. */
  symbol: string;
  /** What it does to the text, in one sentence. */
  explanation: string;
  /** The span worth sliding through; more can be typed. */
  slider: { from?: number; to?: number; step: number };
  /** Why it has no effect as things stand: said in place of the explanation, and nothing can be changed. */
  idle?: string | undefined;
}

/** A number to slide or to type. */
export function NumberField({ name, label, symbol, explanation, slider, idle }: Props) {
  const studio = useStudio();
  const { number } = useWords().player.run;
  const id = useId();
  const value = useStore(studio.settings, ({ values }) => values[name]);
  const maxLength = useStore(studio.settings, ({ maxLength }) => maxLength);
  const limits = settingLimits(maxLength)[name];
  const from = Math.max(limits.least, slider.from ?? limits.least);
  const to = Math.min(limits.greatest, slider.to ?? limits.greatest);
  return (
    <div className={controlsStyles.control} data-idle={idle !== undefined}>
      <div className={styles.numberRow}>
        <label htmlFor={id}>
          {label} <i>{symbol}</i>
        </label>
        <NumberInput id={id} name={name} describedBy={`${id}-note`} disabled={idle !== undefined} />
      </div>
      <Slider.Root
        className={styles.slider}
        disabled={idle !== undefined}
        min={from}
        max={to}
        step={slider.step}
        value={[Math.min(to, Math.max(from, value))]}
        // Sliding in tenths gives 1.2000000000000002 now and then.
        onValueChange={([slid = value]) => studio.settings.getState().enter(name, String(Number(slid.toFixed(4))))}
      >
        <Slider.Track className={styles.sliderTrack}>
          <Slider.Range className={styles.sliderRange} />
        </Slider.Track>
        <Slider.Thumb className={styles.sliderThumb} aria-label={`${label} ${symbol}`} aria-valuetext={number(value)} />
      </Slider.Root>
      <p className={controlsStyles.controlNote}>
        <span id={`${id}-note`}>{idle ?? explanation}</span> {idle === undefined && <ShowMe setting={name} />}
      </p>
    </div>
  );
}
