import { useId } from "react";
import { useStore } from "zustand";
import { useStudio, useWords } from "../StudioContext";
import { Chip } from "../ui/Chip";
import styles from "./Examples.module.css";

/** Prompts that the model's maker offers. A press puts one into the box, another press takes it out again. */
export function Examples({ examples }: { examples: readonly string[] }) {
  const studio = useStudio();
  const words = useWords().prompt;
  const id = useId();
  const prompt = useStore(studio.draft, ({ prompt }) => prompt);
  if (examples.length === 0) return null;
  return (
    <div className={styles.examples}>
      <span className={styles.examplesLabel} id={id}>
        {words.try}
      </span>
      <ul aria-labelledby={id}>
        {[...new Set(examples)].map((example) => {
          const chosen = prompt.trim() === example;
          return (
            <li key={example}>
              <Chip
                label={example}
                hint={example}
                chosen={chosen}
                onPress={() => studio.draft.getState().setPrompt(chosen ? "" : example)}
              />
            </li>
          );
        })}
      </ul>
    </div>
  );
}
