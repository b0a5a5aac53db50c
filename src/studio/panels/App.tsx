import { Tooltip } from "radix-ui";
import { useStore } from "zustand";
import styles from "./App.module.css";
import { NewerPage } from "./alerts/NewerPage";
import { Part } from "./alerts/Part";
import { Said } from "./alerts/Said";
import { StudioAnnouncer } from "./alerts/StudioAnnouncer";
import { Controls } from "./controls/Controls";
import { ExperimentsDialog } from "./experiments/Experiments";
import { GeneratePanel } from "./generate/GeneratePanel";
import { Header } from "./header/Header";
import { ShortcutsDialog } from "./help/ShortcutsDialog";
import { LensChoice, LensPanel } from "./lenses/Lenses";
import { DropTarget } from "./models/DropTarget";
import { ModelShelf } from "./models/ModelShelf";
import { PaletteDoor } from "./palette/PaletteDoor";
import { PromptBox } from "./prompt/PromptBox";
import { useStudio } from "./StudioContext";
import { SavingDialog } from "./saving/Saving";
import { KeepingNote } from "./shelf/KeepingNote";
import { Shelf } from "./shelf/Shelf";
import { Printed } from "./stage/Printed";
import { StudioStage } from "./stage/StudioStage";
import { Tour } from "./tour/Tour";
import { StudioTransport } from "./transport/StudioTransport";

/** All parts of the page, each on its own: one that fails takes no other with it. */
export function App() {
  const studio = useStudio();
  const selected = useStore(studio.runs, ({ selectedId }) => selectedId);
  const model = useStore(studio.model, ({ name }) => name);
  const lens = useStore(studio.view, ({ lens }) => lens);
  return (
    <Tooltip.Provider delayDuration={400}>
      <div className={styles.app}>
        <Part name="The head of the page">
          <Header />
        </Part>
        <main className={styles.appMain} data-has-lens={lens !== null || undefined}>
          <section className={styles.appCentre} aria-label="The text and its time">
            <Part name="The text" of={selected}>
              <StudioStage />
            </Part>
            <Part name="The control of time" of={selected}>
              <StudioTransport />
            </Part>
            <Part name="The choice of lenses" of={selected}>
              <LensChoice />
            </Part>
            <Part name="What stands under a print" of={selected}>
              <Printed className={styles.appPrinted} />
            </Part>
          </section>
          <LensPanel />
          <div className={styles.appWriting}>
            <Part name="The box for the prompt" of={model}>
              <PromptBox />
            </Part>
            <Part name="The panel that generates">
              <GeneratePanel />
            </Part>
          </div>
          <Part name="The settings" of={model}>
            <Controls />
          </Part>
        </main>
        <Part name="The list of runs">
          <Shelf />
        </Part>
        <Part name="The note on what is kept">
          <KeepingNote />
        </Part>
        <Part name="The note on a newer page">
          <NewerPage />
        </Part>
        <Part name="The tour">
          <Tour />
        </Part>
      </div>
      <Part name="What is read aloud" of={selected}>
        <StudioAnnouncer />
      </Part>
      <Part name="The shelf of models">
        <ModelShelf />
      </Part>
      <Part name="The place for dropped files">
        <DropTarget />
      </Part>
      <Part name="The notice">
        <Said />
      </Part>
      <Part name="The list of experiments">
        <ExperimentsDialog />
      </Part>
      <Part name="The list of commands">
        <PaletteDoor />
      </Part>
      <Part name="The ways to save">
        <SavingDialog />
      </Part>
      <Part name="The list of shortcuts">
        <ShortcutsDialog />
      </Part>
    </Tooltip.Provider>
  );
}
