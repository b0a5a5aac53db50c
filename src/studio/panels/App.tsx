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
import { useStudio, useWords } from "./StudioContext";
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
  const { parts, stage } = useWords();
  const selected = useStore(studio.runs, ({ selectedId }) => selectedId);
  const model = useStore(studio.model, ({ name }) => name);
  const lens = useStore(studio.view, ({ lens }) => lens);
  return (
    <Tooltip.Provider delayDuration={400}>
      <div className={styles.app}>
        <Part name={parts.head}>
          <Header />
        </Part>
        <main className={styles.appMain} data-has-lens={lens !== null || undefined}>
          <section className={styles.appCentre} aria-label={stage.label}>
            <Part name={parts.text} of={selected}>
              <StudioStage />
            </Part>
            <Part name={parts.time} of={selected}>
              <StudioTransport />
            </Part>
            <Part name={parts.lenses} of={selected}>
              <LensChoice />
            </Part>
            <Part name={parts.print} of={selected}>
              <Printed className={styles.appPrinted} />
            </Part>
          </section>
          <Part name={parts.lens} of={selected}>
            <LensPanel />
          </Part>
          <div className={styles.appWriting}>
            <Part name={parts.prompt} of={model}>
              <PromptBox />
            </Part>
            <Part name={parts.generate}>
              <GeneratePanel />
            </Part>
          </div>
          <Part name={parts.settings} of={model}>
            <Controls />
          </Part>
        </main>
        <Part name={parts.runs}>
          <Shelf />
        </Part>
        <Part name={parts.kept}>
          <KeepingNote />
        </Part>
        <Part name={parts.newer}>
          <NewerPage />
        </Part>
        <Part name={parts.tour}>
          <Tour />
        </Part>
      </div>
      <Part name={parts.aloud} of={selected}>
        <StudioAnnouncer />
      </Part>
      <Part name={parts.models}>
        <ModelShelf />
      </Part>
      <Part name={parts.drop}>
        <DropTarget />
      </Part>
      <Part name={parts.notice}>
        <Said />
      </Part>
      <Part name={parts.experiments}>
        <ExperimentsDialog />
      </Part>
      <Part name={parts.commands}>
        <PaletteDoor />
      </Part>
      <Part name={parts.saving}>
        <SavingDialog />
      </Part>
      <Part name={parts.shortcuts}>
        <ShortcutsDialog />
      </Part>
    </Tooltip.Provider>
  );
}
