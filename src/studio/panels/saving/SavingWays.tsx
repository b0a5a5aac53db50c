import type { ReactNode } from "react";
import { useStore } from "zustand";
import { recipeOf } from "../../../flow/recipe";
import { linkTo } from "../../../format/link";
import { drawingOf } from "../../../player/export/drawing";
import { stepsOf } from "../../../player/run/run";
import { textSoFar } from "../../../player/run/textSoFar";
import { themeOf } from "../../../player/theme/themeOf";
import { Button } from "../../../player/ui/Button";
import { openFile } from "../../actions/openFile";
import { runAsFile } from "../../session/kept/files";
import { selectedRun } from "../../session/runs/runs";
import { useStudio, useWords } from "../StudioContext";
import { useAction } from "../ui/useAction";
import { SaveMoving } from "./SaveMoving";
import { SavePicture } from "./SavePicture";
import { SaveShelf } from "./SaveShelf";
import styles from "./SavingWays.module.css";
import { saveAs } from "./saveAs";

/** Every way to keep the run shown outside of this browser; the notice and the browser say what was saved. */
export function SavingWays() {
  const studio = useStudio();
  const words = useWords();
  const { saving } = words;
  const runs = useStore(studio.runs, ({ runs }) => runs.length);
  const run = useStore(studio.runs, selectedRun);
  const index = useStore(studio.player.playback, ({ index }) => index);
  const reading = useStore(studio.player.display, ({ reading }) => reading);
  const open = useAction(openFile);
  if (!run) return <p>{saving.nothing}</p>;
  const name = run.trajectory.model;
  const recipe = linkTo(recipeOf(run.trajectory)).slice(1);
  const save = (text: string, type: string, file: string) => {
    saveAs(new Blob([text], { type }), file);
    studio.view.getState().say(words.said.saved(file));
  };
  return (
    <ul className={styles.savingWays}>
      <Way title={saving.text} about={saving.textIs}>
        <Button onClick={() => save(`${textSoFar(run)}\n`, "text/plain", `${name}.txt`)}>{saving.as.text}</Button>
      </Way>
      <Way title={saving.run} about={saving.runIs}>
        <Button onClick={() => save(runAsFile(run), "application/json", `${name}.json`)}>{saving.as.JSON}</Button>
      </Way>
      <Way title={saving.picture(index, stepsOf(run))} about={saving.pictureIs}>
        <SavePicture
          name={name}
          draw={(measure) =>
            drawingOf({
              run,
              index,
              reading,
              theme: themeOf(document.documentElement),
              title: run.modelTitle,
              recipe,
              words: words.player,
              ...(measure ? { measure } : {}),
            })
          }
        />
      </Way>
      <Way title={saving.moving} about={saving.movingIs}>
        <SaveMoving key={`${run.id} GIF`} kind="GIF" run={run} title={run.modelTitle} />
        <SaveMoving key={`${run.id} film`} kind="film" run={run} title={run.modelTitle} />
      </Way>
      {runs > 1 && (
        <Way title={saving.shelf(runs)} about={saving.shelfIs}>
          <SaveShelf />
        </Way>
      )}
      <Way title={saving.opened} about={saving.openedIs}>
        <Button {...open}>{saving.open}</Button>
      </Way>
    </ul>
  );
}

function Way({ title, about, children }: { title: string; about: string; children: ReactNode }) {
  return (
    <li>
      <div>
        <h3>{title}</h3>
        <p>{about}</p>
      </div>
      <div className={styles.savingPresses}>{children}</div>
    </li>
  );
}
