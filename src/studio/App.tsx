import { Tooltip } from "radix-ui";
import "./App.css";
import { Announcer } from "./alerts/Announcer";
import { Notice } from "./alerts/Notice";
import { Controls } from "./controls/Controls";
import { GeneratePanel } from "./generate/GeneratePanel";
import { Header } from "./header/Header";
import { ShortcutsDialog } from "./help/ShortcutsDialog";
import { DropTarget } from "./models/DropTarget";
import { ModelShelf } from "./models/ModelShelf";
import { PromptBox } from "./prompt/PromptBox";
import { KeepingNote } from "./shelf/KeepingNote";
import { Shelf } from "./shelf/Shelf";
import { Stage } from "./stage/Stage";
import { Transport } from "./transport/Transport";

export function App() {
  return (
    <Tooltip.Provider delayDuration={400}>
      <div className="app">
        <Header />
        <main className="app-main">
          <PromptBox />
          <section className="app-centre" aria-label="The text and its time">
            <Stage />
            <Transport />
          </section>
          <GeneratePanel />
          <Controls />
        </main>
        <Shelf />
        <KeepingNote />
      </div>
      <Announcer />
      <ModelShelf />
      <DropTarget />
      <Notice />
      <ShortcutsDialog />
    </Tooltip.Provider>
  );
}
