import { useEffect, useState } from "react";
import { useStudio, useWords } from "../StudioContext";
import styles from "./ModelShelf.module.css";
import { openDropped } from "./placedFiles";

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
      void openDropped(event.dataTransfer, studio);
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
