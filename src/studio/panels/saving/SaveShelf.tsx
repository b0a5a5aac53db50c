import { useEffect, useRef, useState } from "react";
import { useStore } from "zustand";
import { Button } from "../../../player/ui/Button";
import { saveShelf } from "../../session/kept/saveShelf";
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
    setProgress("…");
    const said = await saveShelf(shelf, {
      folding: studio.folding,
      words,
      signal: abort.signal,
      onRun: (done) => setProgress(words.saving.done(done, shelf.length)),
      saveAs,
    });
    setProgress(null);
    if (said !== null) studio.view.getState().say(said);
  };
  return (
    <Button onClick={() => (progress === null ? void save() : gathering.current?.abort())}>
      {progress === null ? words.saving.all : words.saving.stop(progress)}
    </Button>
  );
}
