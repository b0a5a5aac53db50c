/** The table of what is survived has a row for each fault of the harness, and each says all of it. `npm run faults` writes it. */
import { describe, expect, it } from "vitest";
import { FAULTS } from "../test/faults/scenes";
import { readRows } from "../test/faults/table";

describe("docs/faults.md", () => {
  const rows = readRows();

  it("has the faults of the harness, in their order, 25 or more", () => {
    expect(rows.map(({ fault }) => fault)).toEqual(FAULTS);
    expect(new Set(FAULTS).size).toBe(FAULTS.length);
    expect(FAULTS.length).toBeGreaterThanOrEqual(25);
  });

  it.each(rows)("$fault: what is seen, what is kept, how it goes on", (row) => {
    for (const cell of Object.values(row)) expect(cell).toMatch(/\w{3}/);
    // What has a code says so, and what to do.
    const [, said] = /^`[\w-]+`: “(.*)”$/.exec(row.sees) ?? [];
    if (row.sees.startsWith("`")) expect(said).toMatch(/[.!?]$/);
  });
});
