import { Dialog } from "radix-ui";
import { useRef } from "react";
import { useStore } from "zustand";
import { Part } from "../alerts/Part";
import { Problem } from "../alerts/Problem";
import { useStudio } from "../StudioContext";
import { Icon } from "../ui/Icon";
import { AddModel } from "./AddModel";
import { ModelCard } from "./ModelCard";
import "./ModelShelf.css";
import { spaceSentence } from "./words";

/** All models within reach: those that ship, those stored on this device, and any other by address, hub id or folder. */
export function ModelShelf() {
  const studio = useStudio();
  const { isOpen, models, problem, news } = useStore(studio.library, (state) => state);
  const opener = useRef<Element>(null);
  const loadProblem = useStore(studio.generation, (state) => state.problem);
  const shipped = models.filter(({ source }) => source.kind === "shipped");
  const others = models.filter(({ source }) => source.kind !== "shipped");
  return (
    <Dialog.Root open={isOpen} onOpenChange={(open) => studio.library.getState().show(open)}>
      <Dialog.Portal>
        <Dialog.Overlay className="dialog-veil" />
        <Dialog.Content
          className="dialog models"
          data-modal
          data-testid="model-shelf"
          aria-describedby={undefined}
          onOpenAutoFocus={() => {
            opener.current = document.activeElement;
          }}
          // It has several openers and none of them is its trigger, to which the keyboard would return by itself.
          onCloseAutoFocus={() => {
            if (opener.current instanceof HTMLElement) opener.current.focus();
          }}
        >
          <div className="dialog-head">
            <Dialog.Title>Models</Dialog.Title>
            <Dialog.Close className="action-button" aria-label="Close">
              <Icon name="close" />
            </Dialog.Close>
          </div>
          {problem && (
            <div ref={bringIntoSight}>
              <Problem problem={problem} onDismiss={() => studio.library.getState().dismiss()} />
            </div>
          )}
          {loadProblem && (
            <div ref={bringIntoSight}>
              <Problem problem={loadProblem} onDismiss={() => studio.generation.getState().dismiss()} />
            </div>
          )}
          <ul className="models-list">
            {[...shipped, ...others].map((model) => (
              <Part key={model.source.baseUrl} isItem name={`The model ${model.source.label}`} of={model}>
                <ModelCard model={model} />
              </Part>
            ))}
          </ul>
          <AddModel />
          <Room />
          <p className="visually-hidden" role="status">
            {news}
          </p>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

/** The shelf may be scrolled down to the model that the problem is about. */
function bringIntoSight(element: HTMLElement | null): void {
  element?.scrollIntoView({ block: "nearest" });
}

/** What is stored, what room there is, and whether the browser may clear it. */
function Room() {
  const studio = useStudio();
  const { models, space, lasting } = useStore(studio.library, (state) => state);
  const storedBytes = models.reduce((sum, { stored }) => sum + (stored?.ownBytes ?? 0), 0);
  return (
    <section className="models-room" aria-label="Storage">
      <p className="models-note">{spaceSentence(storedBytes, space, lasting)}</p>
      {lasting && space && (
        <p className="models-note">
          <span>
            {space.persisted
              ? "The browser keeps them until you delete them."
              : "The browser may clear them when the device runs short of space."}
          </span>{" "}
          {!space.persisted && (
            <button type="button" className="models-link" onClick={() => void studio.library.getState().persist()}>
              Keep them for good
            </button>
          )}
        </p>
      )}
      <p className="models-note">Models run on this device. Nothing you write is sent anywhere.</p>
    </section>
  );
}
