import { problemOf } from "../../../flow/errors";
import type { Drawing } from "../../../player/export/drawing";
import { drawnFile, PICTURE_KINDS } from "../../../player/export/picture";
import type { Measure } from "../../../player/export/typography";
import { useStudio } from "../StudioContext";

/** Buttons that save a drawing as the files there are. */
export function SavePicture({ draw, name }: { draw: (measure?: Measure) => Drawing; name: string }) {
  const { view } = useStudio();
  const save = async (kind: (typeof PICTURE_KINDS)[number]) => {
    const file = `${name}.${kind}`;
    try {
      saveAs(await drawnFile(kind, draw), file);
      view.getState().say(`Saved as ${file}.`);
    } catch (error) {
      const { message, action } = problemOf(error);
      view.getState().say(`${message} ${action}`);
    }
  };
  return PICTURE_KINDS.map((kind) => (
    <button key={kind} type="button" onClick={() => void save(kind)}>
      Save as {kind.toUpperCase()}
    </button>
  ));
}

/** Hands a file to the browser, which puts it where the person has it put what is downloaded. */
function saveAs(blob: Blob, name: string): void {
  const href = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = href;
  link.download = name;
  link.click();
  // The download has begun by then, and keeps what it reads.
  setTimeout(() => URL.revokeObjectURL(href), 10_000);
}
