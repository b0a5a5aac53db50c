/**
 * What a screen reader is given of `<elf-playground>`: its tree of names and roles at rest, while it writes and at the end, and
 * what its live regions say on the way. No reader itself is run. Numbers as in docs/embed.md.
 */
import { expect, type Locator, test } from "@playwright/test";
import type {} from "../../src/embed/main";
import { EmbedHost } from "./embed-host";

let host: EmbedHost;
test.beforeAll(async () => {
  host = await EmbedHost.start();
});
test.afterAll(() => host.stop());

/** Keeps all that live regions say from here on; returns what reads it. */
async function listen(figure: Locator): Promise<() => Promise<string[]>> {
  const said = await figure.evaluateHandle((element) => {
    const said: string[] = [];
    const root = element.shadowRoot as ShadowRoot;
    const hear = (node: Node | null) => {
      const region = (node instanceof Element ? node : node?.parentElement)?.closest("[role=status]");
      const text = region?.textContent?.trim() ?? "";
      if (region && text !== "" && said.at(-1) !== text) said.push(text);
    };
    new MutationObserver((changes) => {
      for (const { target } of changes) hear(target);
    }).observe(root, { subtree: true, childList: true, characterData: true });
    return said;
  });
  return () => said.jsonValue();
}

/** What stands below the text at all times. */
const TIME = (play: string, bars: string) => `
    - region "Time":
      - button "Step back"
      - button "${play}"
      - button "Step forward" [disabled]
      - 'img ${bars}'
      - slider "Time t, from noise to text"
      - paragraph: /t = \\d\\.\\d\\d step \\d+ of \\d+/
      - radiogroup "Speed":
        - radio "0.25×"
        - radio "0.5×"
        - radio "1×" [checked]
        - radio "2×"
        - radio "4×"
      - radiogroup "Lay the track out":
        - radio "even in t" [checked]
        - radio "even in steps"`;

const READING = `
    - radiogroup "Which reading of the state":
      - radio "What it holds" [checked]
      - radio "What it expects"
    - paragraph: The state z at this t, as words`;

test("11, 32: names and roles, at rest, while it writes and at the end, and what is said aloud", async ({ page }) => {
  await page.goto(
    host.page(
      "reader",
      '<main><elf-playground trace="/traces/stories-fast.json" model="tiny-model" controls="all">Text</elf-playground></main>',
    ),
  );
  const main = page.getByRole("main");
  const figure = page.locator("elf-playground");
  await expect(figure.getByRole("status").first()).toHaveText(/^Finished: He was very happy and went/);
  await expect(main).toMatchAriaSnapshot(`
- main:
  - 'region "A text flows out of noise: Stories, fast"':${READING}
    - paragraph: 50 of 50 words settled
    - paragraph: Given One day, a boy named Tim found a big box in the garden.
    - listbox "Tokens of the text":
      - /children: contain
      - option "He, 100 percent"
      - option "park, 64 percent"
      - option "end of text, 100 percent"${TIME("Play", '"Most tokens settle at step 4: 16 of 58."')}
    - status: /^Finished:/
  - textbox "Write to"
  - button "Generate"
  - status: Loads the model first.`);
  const time = figure.getByRole("slider");
  await expect(time).toHaveAttribute("aria-valuetext", /^t = 1\.00, step 8 of 8/);

  // Steps are said when the person rests, with where that is, and not each one on the way.
  const heard = await listen(figure);
  for (let step = 0; step < 3; step++) await time.press("ArrowLeft");
  await expect(figure.getByRole("status").first()).toHaveText(/^Step 5 of 8: He was very happy and listened /);
  expect((await heard()).filter((said) => said.startsWith("Step")).length).toBeLessThan(3);

  const element = () => figure.evaluateHandle((found) => found as HTMLElementTagNameMap["elf-playground"]);
  await (await element()).evaluate((found) => void found.generate({ seed: 1, settings: { steps: 1024 } }));
  await expect(figure.getByRole("paragraph").filter({ hasText: "Writing, step" })).toBeVisible();
  await expect(main).toMatchAriaSnapshot(`
- main:
  - 'region "A text flows out of noise: Tiny"':${READING}
    - paragraph: /Writing, step \\d+ of 1024/
    - listbox "Tokens of the text":
      - /children: contain
      - option /, \\d+ percent$/${TIME("Pause", '"How many tokens settle at which step is known when the run is complete."')}
    - status
  - textbox "Write to"
  - button "Stop"
  - status: Writes`);

  await (await element()).evaluate((found) => found.generate({ seed: 1, settings: { steps: 4 } }));
  await expect(figure.getByRole("status").first()).toHaveText(/^Finished: so bean/);
  await expect(main).toMatchAriaSnapshot(`
- main:
  - 'region "A text flows out of noise: Tiny"':${READING}
    - paragraph: 9 of 9 words settled
    - listbox "Tokens of the text":
      - /children: contain
      - option "so, 9 percent"${TIME("Play", '"Most tokens settle at step 4: 13 of 16."')}
    - status: /^Finished:/
  - textbox "Write to"
  - button "Generate"
  - status`);

  // Of all that was written, two runs and a thousand frames, a handful of sentences is said, the text last.
  const said = await heard();
  expect(said).toContain("Writes");
  expect(said.at(-1)).toMatch(/^Finished: so bean/);
  expect(said.filter((words) => words.startsWith("Finished"))).toHaveLength(1);
  expect(said.filter((words) => /^Step \d+ of (1024|4)/.test(words))).toEqual([]);
  expect(said.length).toBeLessThan(25);
  test.info().annotations.push({ type: "said", description: said.join(" | ") });
});
