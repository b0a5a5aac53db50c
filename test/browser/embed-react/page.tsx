/** A page by React that holds the element as a component, and once as a plain element. */
import { useRef, useState } from "react";
import { createRoot } from "react-dom/client";
import type { ElfPlayground as ElfPlaygroundElement } from "../../../src/embed/element";
import { ElfPlayground } from "../../../src/embed/react";

function Page() {
  const element = useRef<ElfPlaygroundElement>(null);
  const [ready, setReady] = useState(0);
  const [step, setStep] = useState<number | null>(null);
  const [height, setHeight] = useState(320);
  return (
    <>
      <ElfPlayground
        id="component"
        className="figure"
        trace="/traces/stories-fast.json"
        controls={["play", "scrub"]}
        height={height}
        element={element}
        onElfReady={({ steps }) => setReady(steps)}
        onElfFrame={(frame) => setStep(frame.step)}
      >
        The text of the run
      </ElfPlayground>
      <ElfPlayground id="bare" trace="/traces/stories-fast.json" autoplay loop controls={[]} />
      <elf-playground id="plain" trace="/traces/stories-fast.json" speed={2} />
      <button type="button" onClick={() => void element.current?.seek(3)}>
        Seek
      </button>
      <button type="button" onClick={() => setHeight(280)}>
        Lower
      </button>
      <p data-testid="heard">{`${ready} steps, step ${step}`}</p>
    </>
  );
}

const root = document.createElement("div");
document.body.append(root);
createRoot(root).render(<Page />);
