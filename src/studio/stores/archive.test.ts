import { expect, it } from "vitest";
import { runOf } from "../testing/runs";
import { namedPieces } from "./archive";

it("keeps the pieces that the frames name, at their ids", () => {
  const run = runOf(["▁cat .", "▁cat s"]);
  const pieces = namedPieces(run);
  expect(pieces[4]).toBe("▁cat");
  expect(pieces[5]).toBe("s");
  expect(pieces[6]).toBe(".");
  expect(pieces[3]).toBe("");
  expect(pieces).toHaveLength(7);
});
