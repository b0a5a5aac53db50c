/** A page by React that has the package from npm. */
import type { ElfPlayground as ElfPlaygroundElement } from "elf-playground/element";
import { ElfPlayground } from "elf-playground/react";
import { useRef, useState } from "react";
import { createRoot } from "react-dom/client";

function Page() {
  const element = useRef<ElfPlaygroundElement>(null);
  const [heard, setHeard] = useState("nothing");
  const write = () => element.current?.generate({ seed: 1, settings: { steps: 2 } });
  return (
    <>
      <ElfPlayground
        trace="/traces/stories-fast.json"
        model="/models/tiny-model"
        element={element}
        onElfReady={({ steps }) => setHeard(`${steps} steps`)}
        onElfDone={({ status }) => setHeard(status)}
      >
        The text of the run
      </ElfPlayground>
      <button type="button" onClick={() => void write()}>
        Write
      </button>
      <output>{heard}</output>
    </>
  );
}

createRoot(document.getElementById("root") as HTMLElement).render(<Page />);
