import { keepingSentence } from "../../session/kept/keeping";
import { useStudioStore } from "../StudioContext";

/** Says what will be gone when the page is closed; nothing where all of it is kept. */
export function KeepingNote() {
  const sentence = useStudioStore("keeping", keepingSentence);
  return (
    <p className="shelf-keeping" role="status" data-testid="keeping" data-empty={sentence === null}>
      {sentence}
    </p>
  );
}
