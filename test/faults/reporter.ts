import type { FullResult, Reporter, TestCase, TestResult } from "@playwright/test/reporter";
import { FAULTS } from "./scenes";
import { type Row, writeRows } from "./table";

/** Writes the table when everything was survived. */
export default class TableReporter implements Reporter {
  readonly #rows: Row[] = [];

  printsToStdio(): boolean {
    return false;
  }

  onTestEnd(_test: TestCase, { annotations }: TestResult): void {
    for (const { type, description = "" } of annotations) {
      if (type === "survived") this.#rows.push(JSON.parse(description));
    }
  }

  onEnd({ status }: FullResult): void {
    console.log(`\n${this.#rows.length} of ${FAULTS.length} faults were injected and survived.`);
    if (status !== "passed") return;
    writeRows(FAULTS, this.#rows);
    console.log("What came of them stands in docs/faults.md.");
  }
}
