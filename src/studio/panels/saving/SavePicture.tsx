import { problemOf } from "../../../flow/errors";
import type { Drawing } from "../../../player/export/drawing";
import { DRAWING_KINDS, drawnFile } from "../../../player/export/picture";
import type { Measure } from "../../../player/export/typography";
import { Button } from "../../../player/ui/Button";
import { useStudio, useWords } from "../StudioContext";
import { saveAs } from "./saveAs";

/** Buttons that save a drawing as the files there are. */
export function SavePicture({ draw, name }: { draw: (measure?: Measure) => Drawing; name: string }) {
  const { view } = useStudio();
  const words = useWords();
  const save = async (kind: (typeof DRAWING_KINDS)[number]) => {
    const file = `${name}.${kind}`;
    try {
      saveAs(await drawnFile(kind, draw), file);
      view.getState().say(words.said.saved(file));
    } catch (error) {
      const { message, action } = problemOf(error);
      view.getState().say(words.said.notSaved(`${message} ${action}`));
    }
  };
  return DRAWING_KINDS.map((kind) => (
    <Button key={kind} onClick={() => void save(kind)}>
      {words.saving.as[kind]}
    </Button>
  ));
}
