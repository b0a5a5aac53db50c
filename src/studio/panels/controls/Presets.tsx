import { useStore } from "zustand";
import { applyPreset, isPreset, presetsFor } from "../../session/writing/presets";
import { writesFreely } from "../../session/writing/prompt";
import { useStudio, useWords } from "../StudioContext";
import { Chip } from "../ui/Chip";
import controlsStyles from "./Controls.module.css";
import styles from "./Presets.module.css";

export function Presets() {
  const studio = useStudio();
  const words = useWords();
  const values = useStore(studio.settings, ({ values }) => values);
  const defaults = useStore(studio.settings, ({ defaults }) => defaults);
  const manifest = useStore(studio.model, ({ manifest }) => manifest);
  const free = useStore(studio.draft, ({ prompt }) => writesFreely(manifest, prompt));
  const presets = presetsFor(defaults, !free, manifest?.presets, words.presets);
  const chosen = presets.find((preset) => isPreset(preset, values, !free));
  return (
    <section className={styles.presets} aria-label={words.settings.presets}>
      <ul>
        {presets.map((preset) => (
          <li key={preset.id}>
            <Chip
              label={preset.label}
              hint={preset.note}
              chosen={preset === chosen}
              onPress={() => applyPreset(preset, studio.settings)}
            />
          </li>
        ))}
      </ul>
      <p className={controlsStyles.controlNote}>{chosen?.note ?? words.settings.own}</p>
    </section>
  );
}
