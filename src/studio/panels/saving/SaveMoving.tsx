import { useEffect, useRef, useState } from "react";
import { isCancellation, problemOf } from "../../../flow/errors";
import { recipeOf } from "../../../flow/recipe";
import { linkTo } from "../../../format/link";
import { gifFile } from "../../../player/export/gif";
import { videoFile } from "../../../player/export/video";
import type { ShownRun } from "../../../player/run/run";
import { themeOf } from "../../../player/theme/themeOf";
import { Button } from "../../../player/ui/Button";
import { useStudio, useWords } from "../StudioContext";
import { saveAs } from "./saveAs";

/** What moves: how its file is made. */
const WAYS = { GIF: gifFile, film: videoFile };

/** A button that saves the run, from noise on, as a picture that moves. While it is drawn, another press ends that. */
export function SaveMoving({ kind, run, title }: { kind: keyof typeof WAYS; run: ShownRun; title: string }) {
  const { view, player } = useStudio();
  const words = useWords();
  const [progress, setProgress] = useState<string | null>(null);
  const drawing = useRef<AbortController>(null);
  useEffect(() => () => drawing.current?.abort(), []);

  const save = async (button: HTMLElement) => {
    const abort = new AbortController();
    drawing.current = abort;
    setProgress("…");
    try {
      const moving = await WAYS[kind]({
        run,
        index: run.trajectory.frames.length - 1,
        reading: player.display.getState().reading,
        recipe: linkTo(recipeOf(run.trajectory)).slice(1),
        theme: themeOf(button),
        title,
        words: words.player,
        signal: abort.signal,
        onProgress: (done, total) => setProgress(words.saving.done(done, total)),
      });
      const file = `${run.trajectory.model}.${moving.type.split("/")[1]}`;
      saveAs(moving, file);
      view.getState().say(words.said.saved(file));
    } catch (error) {
      const { message, action } = problemOf(error);
      view.getState().say(isCancellation(error) ? message : words.said.notSaved(`${message} ${action}`));
    } finally {
      setProgress(null);
    }
  };
  const press = (button: HTMLElement) => (progress === null ? void save(button) : drawing.current?.abort());
  return (
    <Button onClick={({ currentTarget }) => press(currentTarget)}>
      {progress === null ? words.saving.asMoving[kind] : words.saving.stop(progress)}
    </Button>
  );
}
