import { useEffect, useRef, useState } from "react";
import { isCancellation, problemOf } from "../../../flow/errors";
import { recipeOf } from "../../../flow/recipe";
import { linkTo } from "../../../format/link";
import { pictureFile } from "../../../player/export/picture";
import type { ShownRun } from "../../../player/run/run";
import { themeOf } from "../../../player/theme/themeOf";
import { Button } from "../../../player/ui/Button";
import { useStudio } from "../StudioContext";
import { saveAs } from "./saveAs";

/** A button that saves the run, from noise on, as a picture that moves. While it is drawn, another press ends that. */
export function SaveGif({ run, title }: { run: ShownRun; title: string }) {
  const { view, player } = useStudio();
  const [progress, setProgress] = useState<string | null>(null);
  const drawing = useRef<AbortController>(null);
  useEffect(() => () => drawing.current?.abort(), []);

  const save = async (button: HTMLElement) => {
    const abort = new AbortController();
    drawing.current = abort;
    const file = `${run.trajectory.model}.gif`;
    setProgress("…");
    try {
      const gif = await pictureFile("gif", {
        run,
        index: run.trajectory.frames.length - 1,
        reading: player.display.getState().reading,
        recipe: linkTo(recipeOf(run.trajectory)).slice(1),
        theme: themeOf(button),
        title,
        signal: abort.signal,
        onProgress: (done, total) => setProgress(`${done} of ${total}`),
      });
      saveAs(gif, file);
      view.getState().say(`Saved as ${file}.`);
    } catch (error) {
      const { message, action } = problemOf(error);
      view.getState().say(isCancellation(error) ? message : `${message} ${action}`);
    } finally {
      setProgress(null);
    }
  };
  const press = (button: HTMLElement) => (progress === null ? void save(button) : drawing.current?.abort());
  return (
    <Button onClick={({ currentTarget }) => press(currentTarget)}>
      {progress === null ? "Save as GIF" : `Stop (${progress})`}
    </Button>
  );
}
