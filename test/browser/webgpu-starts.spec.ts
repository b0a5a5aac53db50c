import { expect, test } from "@playwright/test";
import type { Recipe } from "../../src/flow/recipe";
import { linkTo } from "../../src/format/link";
import { slow } from "./slow";
import { StudioPage } from "./studio-page";
import { TINY_SETTINGS as settings } from "./tiny-settings";

const gammaCurve = [
  [0, 3],
  [0.5, 0.5],
] as const;
const RECIPES: readonly (readonly [string, Recipe])[] = [
  ["with γ drawn over t", { settings: { ...settings, gammaCurve } }],
  ["between two noises", { settings, towards: { seed: 8, weight: 0.4 } }],
  ["from the noise of a text", { settings: { ...settings, length: 4 }, back: { ids: [20, 21, 22, 1] } }],
];

for (const [how, recipe] of RECIPES) {
  test(
    `a run ${how} is the same on a GPU, and has its paths`,
    slow("a GPU in software, and wasm"),
    async ({ browser }) => {
      const texts: string[] = [];
      for (const backend of ["wasm", "webgpu"]) {
        // Each a visitor of its own, whose shelf does not have the other's run.
        const page = await browser.newPage({ reducedMotion: "reduce" });
        const studio = new StudioPage(page);
        await page.goto(`?${new URLSearchParams({ backend, model: "tiny-model" })}${linkTo(recipe)}`);
        await page.getByRole("button", { name: "Write it" }).click();
        await expect(studio.readout).toContainText("step 5 of 5");
        await expect(studio.generate).toHaveText(/^Generate/);
        await expect(studio.chip).toContainText(backend === "wasm" ? "WASM" : "WebGPU");
        texts.push((await studio.stage.textContent()) ?? "");
        if (backend === "webgpu") {
          await page.getByRole("radio", { name: "Paths", exact: true }).click();
          const picture = page.getByRole("region", { name: "Paths", exact: true }).getByRole("img");
          await expect(picture).toHaveAccessibleName(/^Step 5 of 5, t = 1\.00/);
        }
        expect(studio.faults).toEqual([]);
        await page.close();
      }
      expect(texts[1]).toBe(texts[0]);
    },
  );
}
