import type { Reading } from "../../flow/network";
import type { Paths } from "../../flow/paths";
import type { SamplerSettings } from "../../flow/settings";
import { RUN_SETTINGS } from "../../flow/testing/settings";
import type { Frame } from "../../flow/trajectory";
import type { ShownRun } from "../run/run";

export const SETTINGS: SamplerSettings = { ...RUN_SETTINGS, steps: 3, length: 4 };

/** A vocabulary of everything tests write; 1 is the end. */
export const PIECES = ["<pad>", "</s>", "<unk>", "▁the", "▁cat", "s", ".", "▁sat", "▁", "<0xE2>", "<0x82>", "<0xAC>"];

export const END = 1;

export function tokensOf(...pieces: string[]): Int32Array {
  return Int32Array.from(pieces, (piece) => PIECES.indexOf(piece));
}

export function readingOf(...pieces: string[]): Reading {
  const tokens = tokensOf(...pieces);
  return {
    tokens,
    entropy: new Float32Array(tokens.length),
    topTokens: tokens,
    topProbabilities: new Float32Array(tokens.length).fill(1),
  };
}

export function frameOf(step: number, total: number, ...pieces: string[]): Frame {
  const reading = readingOf(...pieces);
  return { step, t: step / total, holds: reading, expects: reading };
}

/** A run whose frames are these, each a list of pieces parted by blanks. */
export function shownRunOf(frames: readonly string[], change: Partial<ShownRun> = {}): ShownRun {
  const steps = Math.max(1, frames.length - 1);
  return {
    id: "run",
    status: "done",
    trajectory: {
      settings: { ...SETTINGS, steps },
      model: "test",
      times: frames.map((_, step) => step / steps),
      frames: frames.map((pieces, step) => frameOf(step, steps, ...pieces.split(" "))),
    },
    pieces: PIECES,
    eos: END,
    text: "the cat",
    ...change,
  };
}

/** Paths on which position p is at (100 · step, 100 · p) and expected at its mirror image. */
export function pathsOfLength(frames: number, length: number): Paths {
  const holds = Int16Array.from({ length: frames * length * 2 }, (_, i) => {
    const position = Math.floor(i / 2) % length;
    return 100 * (i % 2 === 0 ? Math.floor(i / (2 * length)) : position);
  });
  return { basis: "model", length, holds, expects: holds.map((place) => -place) };
}
