import { useEffect } from "react";
import { useStore } from "zustand";
import { Part } from "../alerts/Part";
import { Dismiss, Problem } from "../alerts/Problem";
import { useStudio, useWords } from "../StudioContext";
import { AddModel } from "./AddModel";
import { ModelCard } from "./ModelCard";
import styles from "./ModelShelf.module.css";
import { spaceSentence } from "./words";

/** All models within reach: those that ship, those stored on this device, and any other by address, hub id or folder. */
export function ModelList() {
  const studio = useStudio();
  const words = useWords();
  const { models, problem, news } = useStore(studio.library, (state) => state);
  const loadProblem = useStore(studio.generation, (state) => state.problem);
  const shipped = models.filter(({ source }) => source.kind === "shipped");
  const others = models.filter(({ source }) => source.kind !== "shipped");
  return (
    <>
      {problem && (
        <div ref={bringIntoSight}>
          <Problem problem={problem} ways={<Dismiss onPress={() => studio.library.getState().dismiss()} />} />
        </div>
      )}
      {loadProblem && (
        <div ref={bringIntoSight}>
          <Problem problem={loadProblem} ways={<Dismiss onPress={() => studio.generation.getState().dismiss()} />} />
        </div>
      )}
      <ul className={styles.modelsList}>
        {[...shipped, ...others].map((model) => (
          <Part key={model.source.baseUrl} isItem name={words.parts.model(model.source.label)} of={model}>
            <ModelCard model={model} />
          </Part>
        ))}
      </ul>
      <AddModel />
      <Room />
      <p className="visually-hidden" role="status">
        {news}
      </p>
    </>
  );
}

/** The shelf may be scrolled down to the model that the problem is about. */
function bringIntoSight(element: HTMLElement | null): void {
  element?.scrollIntoView({ block: "nearest" });
}

/** Whether the page opens without a network, what that takes, and a way to be rid of it. */
function KeptPage() {
  const { offline, view } = useStudio();
  const { models, said, bytes: sizeOf } = useWords();
  const { isKept, bytes, count, forget } = useStore(offline, (state) => state);
  useEffect(() => void count(), [count]);
  if (isKept === null) return null;
  return (
    <p className={styles.modelsNote} data-testid="kept-page">
      <span>{isKept ? models.pageKept(bytes ? sizeOf(bytes) : null) : models.pageNotKept}</span>{" "}
      {isKept && (
        <button
          type="button"
          className={styles.modelsLink}
          onClick={() => void forget().then(() => view.getState().say(said.pageForgotten))}
        >
          {models.deletePage}
        </button>
      )}
    </p>
  );
}

/** What is stored, what room there is, and whether the browser may clear it. */
function Room() {
  const studio = useStudio();
  const words = useWords();
  const { models, space, lasting } = useStore(studio.library, (state) => state);
  const storedBytes = models.reduce((sum, { stored }) => sum + (stored?.ownBytes ?? 0), 0);
  return (
    <section className={styles.modelsRoom} aria-label={words.models.storage}>
      <p className={styles.modelsNote}>{spaceSentence(storedBytes, space, lasting, words)}</p>
      {lasting && space && (
        <p className={styles.modelsNote}>
          <span>{space.persisted ? words.models.lasts : words.models.mayBeCleared}</span>{" "}
          {!space.persisted && (
            <button
              type="button"
              className={styles.modelsLink}
              onClick={() => void studio.library.getState().persist()}
            >
              {words.models.keepForGood}
            </button>
          )}
        </p>
      )}
      <KeptPage />
      <p className={styles.modelsNote}>{words.models.onThisDevice}</p>
    </section>
  );
}
