import type { NamedProblem } from "../flow/errors";
import type { Recipe } from "../flow/recipe";
import type { Backend } from "../run/api";

/** What the events of `<elf-playground>` carry. All of them bubble and leave shadow roots; none can be cancelled. */
export interface ElfEvents {
  /** There is something to see: a recorded run, or a stage for one. */
  readonly "elf-ready": { readonly model: string; readonly text: string; readonly steps: number };
  /** Another frame is shown. */
  readonly "elf-frame": { readonly step: number; readonly steps: number; readonly t: number };
  /** A run begins to be written. */
  readonly "elf-run": { readonly model: string; readonly recipe: Recipe };
  /** A run has ended. */
  readonly "elf-done": { readonly status: "done" | "cancelled"; readonly text: string; readonly seconds: number };
  /** Something failed; the box says the same. */
  readonly "elf-error": NamedProblem;
  /** A model is on its way: waiting for its turn, downloading, or being made ready; `done` of `total` bytes where known. */
  readonly "elf-load": {
    readonly phase: "waiting" | "download" | "prepare" | "ready";
    readonly done: number;
    readonly total: number;
    /** Once it is ready, on what it computes, and why on that. */
    readonly backend?: Backend;
    readonly reason?: string;
  };
}

export type ElfEventName = keyof ElfEvents;

/** Each event once, for the reference and for what has to know them all. */
export const EVENT_NAMES = [
  "elf-ready",
  "elf-frame",
  "elf-run",
  "elf-done",
  "elf-error",
  "elf-load",
] as const satisfies readonly ElfEventName[];

type ElfEventMap = { readonly [Name in ElfEventName]: CustomEvent<ElfEvents[Name]> };

declare global {
  interface HTMLElementEventMap extends ElfEventMap {}
}

export function tell<Name extends ElfEventName>(target: EventTarget, name: Name, detail: ElfEvents[Name]): void {
  target.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
}
