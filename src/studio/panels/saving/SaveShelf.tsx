import { useEffect, useRef, useState } from "react";
import { useStore } from "zustand";
import { Button } from "../../../player/ui/Button";
import { shelfAsFiles } from "../../session/kept/files";
import { useStudio, useWords } from "../StudioContext";
import { saveAs } from "./saveAs";

/** A button that saves all runs of the shelf. While their frames are gathered, another press ends that. */
export function SaveShelf() {
  const studio = useStudio();
  const words = useWords();
  const shelf = useStore(studio.runs, ({ runs }) => runs);
  const [progress, setProgress] = useState<string | null>(null);
  const gathering = useRef<AbortController>(null);
  useEffect(() => () => gathering.current?.abort(), []);

  const save = async () => {
    const abort = new AbortController();
    gathering.current = abort;
    const onRun = (done: number) => setProgress(words.saving.done(done, shelf.length));
    setProgress("…");
    let number = 0;
    for await (const blob of shelfAsFiles(studio.folding.whole(shelf), onRun)) {
      if (abort.signal.aborted) break;
      const file = `elf-playground-runs${++number > 1 ? `-${number}` : ""}.json`;
      saveAs(blob, file);
      studio.view.getState().say(words.said.saved(file));
    }
    setProgress(null);
  };
  return (
    <Button onClick={() => (progress === null ? void save() : gathering.current?.abort())}>
      {progress === null ? words.saving.all : words.saving.stop(progress)}
    </Button>
  );
}
