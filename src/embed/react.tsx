/** `<elf-playground>` as a React component, thin over the element: props are its attributes, events are callbacks. */
import { type CSSProperties, createElement, type ReactNode, type RefObject, useEffect, useRef } from "react";
import type { Control, Options } from "./attributes";
import type { ElfPlayground as ElfPlaygroundElement } from "./element";
import { type ElfEventName, type ElfEvents, EVENT_NAMES } from "./events";

/** The attributes of the element, all of them optional; `controls` as a list or as written. */
export type ElfAttributes = Partial<Omit<Options, "controls">> & {
  readonly controls?: readonly Control[] | string;
  readonly lang?: string;
};

/** The element's attributes, what it holds, and a callback for each of its events. */
export interface ElfPlaygroundProps extends ElfAttributes {
  readonly id?: string;
  readonly className?: string;
  readonly style?: CSSProperties;
  /** What stands there before the script has come, and without it: the text of the run; and what is put into the slots. */
  readonly children?: ReactNode;
  /** The element, for its methods. */
  readonly element?: RefObject<ElfPlaygroundElement | null>;
  readonly onElfReady?: (detail: ElfEvents["elf-ready"]) => void;
  readonly onElfFrame?: (detail: ElfEvents["elf-frame"]) => void;
  readonly onElfRun?: (detail: ElfEvents["elf-run"]) => void;
  readonly onElfDone?: (detail: ElfEvents["elf-done"]) => void;
  readonly onElfError?: (detail: ElfEvents["elf-error"]) => void;
  readonly onElfLoad?: (detail: ElfEvents["elf-load"]) => void;
}

/** The element `<elf-playground>`. On a server it renders as the bare element with its text. */
export function ElfPlayground({
  className,
  element,
  controls,
  autoplay,
  loop,
  onElfReady,
  onElfFrame,
  onElfRun,
  onElfDone,
  onElfError,
  onElfLoad,
  ...attributes
}: ElfPlaygroundProps) {
  const own = useRef<ElfPlaygroundElement | null>(null);
  const ref = element ?? own;
  const heard = useRef<Partial<Record<ElfEventName, (detail: never) => void>>>({});
  heard.current = {
    ...(onElfReady && { "elf-ready": onElfReady }),
    ...(onElfFrame && { "elf-frame": onElfFrame }),
    ...(onElfRun && { "elf-run": onElfRun }),
    ...(onElfDone && { "elf-done": onElfDone }),
    ...(onElfError && { "elf-error": onElfError }),
    ...(onElfLoad && { "elf-load": onElfLoad }),
  };

  useEffect(() => {
    const figure = ref.current;
    if (!figure) return;
    const hear = (event: Event) => heard.current[event.type as ElfEventName]?.((event as CustomEvent).detail as never);
    // Older versions of React know no events of custom elements; and those of elements within are theirs.
    const hearOwn = (event: Event) => event.target === figure && hear(event);
    for (const name of EVENT_NAMES) figure.addEventListener(name, hearOwn);
    // On a server there is none, and it is not asked for.
    void import("./main");
    return () => {
      for (const name of EVENT_NAMES) figure.removeEventListener(name, hearOwn);
    };
  }, [ref]);

  return createElement("elf-playground", {
    ...attributes,
    ref,
    // Attributes, which every version of React writes alike: a custom element has no `className`, and booleans are there or not.
    ...(className === undefined ? {} : { class: className }),
    ...(controls === undefined
      ? {}
      : { controls: typeof controls === "string" ? controls : controls.join(" ") || "none" }),
    ...(autoplay ? { autoplay: "" } : {}),
    ...(loop ? { loop: "" } : {}),
  });
}

declare module "react" {
  namespace JSX {
    interface IntrinsicElements {
      "elf-playground": import("react").HTMLAttributes<ElfPlaygroundElement> &
        ElfAttributes & {
          readonly class?: string;
          readonly ref?: import("react").RefObject<ElfPlaygroundElement | null>;
        };
    }
  }
}
