/** `docs/faults.md`: a row for each fault, written by the run that survived it. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Survival } from "./fault";

const FILE = join(import.meta.dirname, "../../docs/faults.md");
const HEAD = "| fault | what the person sees | what is kept | how it goes on |\n|---|---|---|---|\n";

export type Row = Survival & { readonly fault: string };

export function readRows(): Row[] {
  const [, table = ""] = readFileSync(FILE, "utf8").split(HEAD);
  const lines = table.split("\n").filter((line) => line.startsWith("| "));
  return lines.map((line) => {
    const [fault = "", sees = "", keeps = "", goesOn = ""] = line.slice(2, -2).split(" | ");
    return { fault, sees, keeps, goesOn };
  });
}

/** Writes the rows in the order of `faults`; those that did not run this time stay as they were. */
export function writeRows(faults: readonly string[], rows: readonly Row[]): void {
  const known = new Map([...readRows(), ...rows].map((row) => [row.fault, row]));
  const lines = faults.flatMap((fault) => {
    const row = known.get(fault);
    return row ? [`| ${[fault, row.sees, row.keeps, row.goesOn].map(cell).join(" | ")} |\n`] : [];
  });
  const [before = ""] = readFileSync(FILE, "utf8").split(HEAD);
  writeFileSync(FILE, `${before}${HEAD}${lines.join("")}`);
}

function cell(text: string): string {
  return text.replaceAll("|", "/").replaceAll("<", "&lt;");
}
