import type { ReactNode } from "react";
import { useStore } from "zustand";
import { recipeOf } from "../../../flow/recipe";
import { linkTo } from "../../../format/link";
import { drawingOf } from "../../../player/export/drawing";
import { stepsOf } from "../../../player/run/run";
import { textSoFar } from "../../../player/run/textSoFar";
import { themeOf } from "../../../player/theme/themeOf";
import { Button } from "../../../player/ui/Button";
import { runAsFile, shelfAsFile } from "../../session/kept/files";
import { selectedRun } from "../../session/runs/runs";
import { useStudio } from "../StudioContext";
import { SaveMoving } from "./SaveMoving";
import { SavePicture } from "./SavePicture";
import styles from "./SavingWays.module.css";
import { saveAs } from "./saveAs";

/** Every way to keep the run shown outside of this browser; the notice and the browser say what was saved. */
export function SavingWays() {
  const studio = useStudio();
  const shelf = useStore(studio.runs, ({ runs }) => runs);
  const run = useStore(studio.runs, selectedRun);
  const index = useStore(studio.player.playback, ({ index }) => index);
  const reading = useStore(studio.player.display, ({ reading }) => reading);
  if (!run) return <p>There is no run to save.</p>;
  const name = run.trajectory.model;
  const recipe = linkTo(recipeOf(run.trajectory)).slice(1);
  const save = (text: string, type: string, file: string) => {
    saveAs(new Blob([text], { type }), file);
    studio.view.getState().say(`Saved as ${file}.`);
  };
  return (
    <ul className={styles.savingWays}>
      <Way title="The text" about="What it wrote, and nothing else.">
        <Button onClick={() => save(`${textSoFar(run)}\n`, "text/plain", `${name}.txt`)}>Save as text</Button>
      </Way>
      <Way
        title="The run"
        about="Every step of it and how to write it again: a file to be dropped on this page, or to be shown in others."
      >
        <Button onClick={() => save(runAsFile(run), "application/json", `${name}.json`)}>Save as JSON</Button>
      </Way>
      <Way
        title={`Step ${index} of ${stepsOf(run)} as a picture`}
        about="As the stage shows it, with the run's recipe in the file: drop it on this page and the run opens."
      >
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
              ...(measure ? { measure } : {}),
            })
          }
        />
      </Way>
      <Way
        title="The whole run as a picture that moves"
        about="From noise to text, with its recipe in the file: a GIF of 880 × 420, or a film of 1920 × 1080."
      >
        <SaveMoving key={`${run.id} GIF`} kind="GIF" run={run} title={run.modelTitle} />
        <SaveMoving key={`${run.id} film`} kind="film" run={run} title={run.modelTitle} />
      </Way>
      {shelf.length > 1 && (
        <Way
          title={`All ${shelf.length} runs of the shelf`}
          about="One file, which brings them back when it is dropped here."
        >
          <Button onClick={() => save(shelfAsFile(shelf), "application/json", "elf-playground-runs.json")}>
            Save all runs
          </Button>
        </Way>
      )}
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
