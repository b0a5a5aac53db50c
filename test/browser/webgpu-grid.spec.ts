import { expect, test } from "@playwright/test";
import { linkTo } from "../../src/format/link";
import { slow } from "./slow";
import { StudioPage } from "./studio-page";
import { TINY_SETTINGS } from "./tiny-settings";

test(
  "a grid is filled at once on a GPU, with the texts that wasm writes one after another",
  slow("sixteen runs on a GPU in software, and in wasm"),
  async ({ browser }) => {
    const grids: string[][] = [];
    for (const backend of ["wasm", "webgpu"]) {
      const page = await browser.newPage({ reducedMotion: "reduce" });
      const studio = new StudioPage(page);
      const asked = { backend, model: "tiny-model", experiment: "grid.steps.gamma" };
      await page.goto(`?${new URLSearchParams(asked)}${linkTo({ settings: TINY_SETTINGS })}`);
      const comparison = page.getByTestId("comparison");
      await page.getByRole("button", { name: "Write it" }).click();
      const texts = comparison.getByTestId("compared");
      if (backend === "webgpu") await expect(comparison.getByText(/^Writing, step/)).toHaveCount(16);
      await expect(texts).toHaveCount(16);
      await expect(studio.generate).toHaveText(/^Generate/);
      await expect(studio.chip).toContainText(backend === "wasm" ? "WASM" : "WebGPU");
      grids.push(await texts.getByRole("listbox").allInnerTexts());
      expect(studio.faults).toEqual([]);
      await page.close();
    }
    expect(new Set(grids[0]).size).toBeGreaterThan(8);
    expect(grids[1]).toEqual(grids[0]);
  },
);
