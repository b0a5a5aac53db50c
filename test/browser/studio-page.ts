import { expect, type Locator, type Page } from "@playwright/test";

/** The page as a person meets it. */
export class StudioPage {
  readonly generate: Locator;
  readonly cancel: Locator;
  readonly stage: Locator;
  readonly readout: Locator;
  readonly time: Locator;
  readonly alert: Locator;
  readonly chip: Locator;
  readonly runs: Locator;
  /** What went wrong without anybody asking for it. */
  readonly faults: string[] = [];

  constructor(readonly page: Page) {
    this.generate = page.getByTestId("generate");
    this.cancel = page.getByTestId("cancel");
    this.stage = page.getByTestId("stage-text");
    this.readout = page.getByTestId("readout");
    this.time = page.getByRole("slider", { name: /^Time t/ });
    this.alert = page.getByRole("alert");
    this.chip = page.getByTestId("model-chip");
    this.runs = page.getByTestId("run-card");
    page.on("pageerror", (error) => this.faults.push(error.message));
  }

  async open(parameters: Record<string, string>): Promise<void> {
    await this.page.goto(`?${new URLSearchParams(parameters)}`);
    await expect(this.generate).toBeVisible();
  }

  /** Types a number into the field of that label. */
  async set(label: string, value: number): Promise<void> {
    const field = this.page.getByRole("textbox", { name: label });
    await field.fill(String(value));
    await field.press("Enter");
    await expect(field).toHaveValue(String(value));
  }

  /** Presses Generate and waits until the text is written. */
  async write(): Promise<string> {
    const before = await this.runs.count();
    await this.generate.click();
    // A small model may have written before anyone has seen the button that cancels.
    await expect
      .poll(async () => (await this.cancel.isVisible()) || (await this.runs.count()) > before, { timeout: 300_000 })
      .toBe(true);
    await expect(this.generate).toHaveText(/^Generate/);
    expect(await this.alert.allTextContents()).toEqual([]);
    return (await this.stage.textContent()) ?? "";
  }
}
