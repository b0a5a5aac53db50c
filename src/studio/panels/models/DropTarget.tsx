import { useEffect, useState } from "react";
import { mayBeRun } from "../../session/kept/files";
import { useStudio, useWords } from "../StudioContext";
import styles from "./ModelShelf.module.css";
import { droppedFiles } from "./placedFiles";

/** Takes folders and files that are dropped anywhere on the page, and says so while they hang over it. */
export function DropTarget() {
  const studio = useStudio();
  const { models } = useWords();
  const [isOver, setOver] = useState(false);

  useEffect(() => {
    const carriesFiles = ({ dataTransfer }: DragEvent) => dataTransfer?.types.includes("Files") ?? false;
    const over = (event: DragEvent) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      setOver(true);
    };
    const leave = ({ relatedTarget }: DragEvent) => {
      if (relatedTarget === null) setOver(false);
    };
    const drop = (event: DragEvent) => {
      if (!event.dataTransfer || !carriesFiles(event)) return;
      // Otherwise the browser would leave the page for the file.
      event.preventDefault();
      setOver(false);
      void droppedFiles(event.dataTransfer).then((placed) => {
        if (placed.length > 0 && placed.every(({ path }) => mayBeRun(path))) {
          return studio.openFiles(placed.map(({ file }) => file));
        }
        studio.library.getState().show(true);
        return studio.library.getState().addFiles(placed);
      });
    };
    addEventListener("dragover", over);
    addEventListener("dragleave", leave);
    addEventListener("drop", drop);
    return () => {
      removeEventListener("dragover", over);
      removeEventListener("dragleave", leave);
      removeEventListener("drop", drop);
    };
  }, [studio]);

  return isOver ? <div className={styles.dropTarget}>{models.drop}</div> : null;
}
