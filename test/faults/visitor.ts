/** A person at the page, who says what they see and looks for what was kept. */
import { expect, type Page } from "@playwright/test";
import { ModelShelfPage } from "../browser/model-shelf-page";
import { writeFew } from "../browser/runs";
import { lasting } from "./fault";

/** A setting of the person's, which is none of the page's own. */
const SETTING = "Fresh noise γ";
const VALUE = 0.75;

const ADDRESS = { backend: "wasm", model: "tiny-model" };

export class Visitor extends ModelShelfPage {
  /** Runs that have been written, all of which should be kept. */
  #written = 0;

  /** Opens the page, makes a setting, and writes a run: what there is to lose. */
  static async of(page: Page, address: Record<string, string> = ADDRESS): Promise<Visitor> {
    const visitor = new Visitor(page);
    // Drawing costs more than writing, but on the slow GPU it tells of the steps of a run while it goes on.
    if (address.backend === "wasm") await page.emulateMedia({ reducedMotion: "reduce" });
    await visitor.open(address);
    await visitor.set(SETTING, VALUE);
    await visitor.writes();
    return visitor;
  }

  /** Writes a text, so that the shelf has one run more. */
  async writes(steps = 4): Promise<string> {
    const before = await this.runs.count();
    await writeFew(this, steps);
    await expect(this.runs).toHaveCount(before + 1);
    this.#written++;
    return "the next run is written";
  }

  /** A run has begun that is to stay on the shelf however it ends. */
  begun(): void {
    this.#written++;
  }

  /** Opens the page at a later visit, at which so many runs were written that are to be kept. */
  async opened(address: Record<string, string> = ADDRESS, written = this.#written): Promise<void> {
    this.#written = written;
    await this.open(address);
  }

  /** Nothing is said, because nothing has to be done. */
  async saysNothing(): Promise<string> {
    await expect(this.alert).toHaveCount(0);
    return "nothing";
  }

  /** The alert: its words, what it advises, and its code. A fault without a name, or without advice, is none that is survived. */
  async alerted(): Promise<string> {
    await expect(this.alert).toHaveCount(1);
    // An engine that is restored says so when it is.
    await expect(this.alert).not.toContainText("is being restored");
    const code = (await this.alert.getAttribute("data-code")) ?? "";
    const said = await this.alert.locator("p").allTextContents();
    expect(code).toMatch(/^[a-z][a-z-]+$/);
    expect(said.length, "what happened, and what to do").toBe(2);
    const [what = "", advice = ""] = said;
    expect(what).toMatch(/\w/);
    expect(advice).toMatch(/\w.*[.!?]$/);
    return `\`${code}\`: “${lasting(said.join(" "))}”`;
  }

  /** What a tab that is opened now finds, which is what a visit tomorrow would. */
  async kept(): Promise<{ runs: number; setting: boolean; files: string }> {
    const tomorrow = new Visitor(await this.page.context().newPage());
    try {
      await tomorrow.page.emulateMedia({ reducedMotion: "reduce" });
      await tomorrow.open(ADDRESS);
      const setting = tomorrow.page.getByRole("textbox", { name: SETTING });
      await expect(setting).toHaveValue(/\d/);
      // Runs come from the browser's database, a moment later than the page.
      await expect
        .poll(() => tomorrow.runs.count(), { timeout: 5000 })
        .toBe(this.#written)
        .catch(() => undefined);
      return {
        runs: await tomorrow.runs.count(),
        setting: (await setting.inputValue()) === String(VALUE),
        files: storedWords(await tomorrow.stored()),
      };
    } finally {
      await tomorrow.page.close();
    }
  }

  /** Holds that every run and the setting are there for the next visit, and says so. */
  async keepsAll(): Promise<string> {
    const { runs, setting, files } = await this.kept();
    expect(runs, "runs on the shelf").toBe(this.#written);
    expect(setting, "the setting").toBe(true);
    expect(files).not.toContain("wrong");
    return `every run, the settings; ${files}`;
  }

  expectNoFault(): void {
    expect(this.faults).toEqual([]);
  }
}

/** Files of the store by what they are: whole, begun, wrong. */
function storedWords(stored: Readonly<Record<string, number | "wrong bytes">>): string {
  const names = Object.keys(stored);
  const wrong = names.filter((name) => stored[name] === "wrong bytes");
  const begun = names.filter((name) => name.endsWith(".part") && stored[name] !== 0);
  const whole = names.filter((name) => !name.includes(".") && !wrong.includes(name));
  return [
    whole.length > 0 ? "model files that are whole" : "no model file",
    ...(begun.length > 0 ? ["one that is begun"] : []),
    ...(wrong.length > 0 ? ["wrong ones"] : []),
  ].join(", ");
}
