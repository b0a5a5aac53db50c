import { expect, test } from "@playwright/test";
import { violations } from "./axe";
import { StudioPage } from "./studio-page";

test("writes to a prompt, which is counted, given and never moves", async ({ page }) => {
  const studio = new StudioPage(page);
  await page.emulateMedia({ reducedMotion: "reduce" });
  await studio.open({ model: "tiny-conditional", backend: "wasm" });
  const box = page.getByTestId("prompt");
  const count = page.getByTestId("prompt-count");
  await expect(box).toBeVisible();
  await expect(studio.generate).toHaveAttribute("aria-disabled", "true");
  await expect(page.getByText("Type what it is to write to.")).toBeVisible();
  await expect(page.getByRole("textbox", { name: "Prompt ω" })).toHaveValue("2");

  await box.fill("garden nobody");
  await expect(count).toHaveText("at most 6 tokens");
  // Ctrl+Enter works where one types.
  await page.keyboard.press("Control+Enter");
  await expect(studio.readout).toContainText("step 8 of 8");
  await expect(count).toHaveText("2 of 6 tokens");
  await expect(page.getByTestId("given")).toContainText("garden nobody");
  const first = await studio.stage.textContent();
  await studio.time.press("Home");
  await expect(studio.stage).not.toHaveText(first ?? "");
  await expect(page.getByTestId("given")).toContainText("garden nobody");

  await box.fill("garden nobody garden nobody garden nobody garden");
  await expect(count).toHaveText("7 of 6 tokens");
  await expect(page.getByText("7 tokens are too many: this model reads at most 6.")).toBeVisible();
  await expect(box).toHaveAttribute("aria-invalid", "true");
  await expect(studio.generate).toHaveAttribute("aria-disabled", "true");
  expect(await violations(page)).toEqual([]);

  await box.fill("nobody");
  await page.reload();
  await expect(box, "what was typed survives").toHaveValue("nobody");
  await studio.write();
  await expect(page.getByTestId("given")).toContainText("nobody");
  await studio.time.press("Home");
  await studio.time.press("ArrowRight");
  await page.getByRole("button", { name: /^Go on from this step/ }).click();
  await expect(studio.runs.first()).toContainText("from step 1 of");
  await expect(page.getByTestId("given")).toContainText("nobody");
  for (const width of [360, 390]) {
    await page.setViewportSize({ width, height: 800 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
  }
  expect(studio.faults).toEqual([]);
});

test("a prompt too long for a model not loaded yet is refused once it can be counted", async ({ page }) => {
  const studio = new StudioPage(page);
  await studio.open({ model: "tiny-conditional", backend: "wasm" });
  await page.getByTestId("prompt").fill("garden nobody garden nobody garden nobody garden");
  await studio.generate.click();
  await expect(studio.alert).toHaveAttribute("data-code", "condition");
  await expect(studio.alert).toContainText("The prompt has 7 tokens.");
  await page.getByTestId("prompt").fill("garden");
  await studio.write();
  expect(studio.faults).toEqual([]);
});

test("300,000 letters in one word are refused at once, and nothing is loaded", async ({ page }) => {
  const studio = new StudioPage(page);
  const weights: string[] = [];
  page.on("request", (request) => request.url().endsWith(".bin") && weights.push(request.url()));
  await studio.open({ model: "tiny-conditional", backend: "wasm" });
  const box = page.getByTestId("prompt");
  await box.fill("a".repeat(300_000));
  await expect(page.getByText("300,000 letters are too many: this model reads at most 6 tokens.")).toBeVisible();
  await expect(studio.generate).toHaveAttribute("aria-disabled", "true");
  await box.press("Control+Enter");
  await box.fill("garden");
  await expect(studio.generate).toHaveAttribute("aria-disabled", "false");
  expect(weights).toEqual([]);
  expect(studio.faults).toEqual([]);
});

test("a book that is pasted or dropped is not taken in, which is said; a page of text is", async ({ page }) => {
  const studio = new StudioPage(page);
  await studio.open({ model: "tiny-conditional", backend: "wasm" });
  const box = page.getByTestId("prompt");
  await box.fill("garden");
  /** Whether the page keeps the browser from taking it in. */
  const isRefused = (type: "paste" | "drop", lines: number) =>
    box.evaluate(
      (element, [type, text]) => {
        const brought = new DataTransfer();
        brought.setData("text/plain", text);
        const options = { bubbles: true, cancelable: true };
        const event =
          type === "paste"
            ? new ClipboardEvent(type, { ...options, clipboardData: brought })
            : new DragEvent(type, { ...options, dataTransfer: brought });
        return !element.dispatchEvent(event);
      },
      [type, "a\n".repeat(lines)] as const,
    );
  expect(await isRefused("paste", 25_000)).toBe(false);
  expect(await isRefused("paste", 150_000)).toBe(true);
  await expect(page.getByTestId("notice")).toHaveText(
    "300,000 letters are too many for a prompt, which stays as it was.",
  );
  expect(await isRefused("drop", 25_001)).toBe(true);
  await expect(page.getByTestId("notice")).toContainText("50,002 letters");
  await expect(box).toHaveValue("garden");
  expect(studio.faults).toEqual([]);
});

test("a model without a tokenizer takes numbers of tokens", async ({ page }) => {
  await page.route("**/models/tiny-conditional/manifest.json", async (route) => {
    const response = await route.fetch();
    const manifest = (await response.json()) as { files: { path: string }[] };
    const files = manifest.files.filter(({ path }) => path !== "tokenizer.json");
    await route.fulfill({ json: { ...manifest, files } });
  });
  const studio = new StudioPage(page);
  await studio.open({ model: "tiny-conditional", backend: "wasm" });
  const box = page.getByRole("textbox", { name: "Write to, as numbers of tokens" });
  await box.fill("garden");
  await expect(page.getByText("This model has no tokenizer")).toBeVisible();
  await box.fill("5, 6, 128");
  await expect(page.getByText("It has no token 128")).toBeVisible();
  await box.fill("5, 6, 7");
  await expect(page.getByTestId("prompt-count")).toHaveText("3 of 6 tokens");
  // The seed and settings of the run that JAX wrote (test/fixtures/tiny-conditional-run.json).
  await studio.set("Seed", 7);
  await studio.write();
  await expect(page.getByTestId("given")).toContainText("5 6 7");
  await expect(studio.stage).toHaveText("90 93 26 83 116 93 93 64 54 42");
  expect(studio.faults).toEqual([]);
});

test("a model that may do without a prompt writes freely while the box is empty", async ({ page }) => {
  const studio = new StudioPage(page);
  await page.emulateMedia({ reducedMotion: "reduce" });
  await studio.open({ model: "tiny-two-pass", backend: "wasm" });
  const box = page.getByTestId("prompt");
  const count = page.getByTestId("prompt-count");
  const guidance = page.getByRole("textbox", { name: "Prompt ω" });
  await expect(box).toHaveAttribute("placeholder", "Leave empty to let it write freely");
  await expect(count).toHaveText("optional, at most 6 tokens");
  await expect(studio.generate).toHaveAttribute("aria-disabled", "false");

  // It can be reached and heard, and not changed.
  await expect(guidance).toHaveAccessibleDescription("It has no effect while there is no prompt to be drawn to.");
  await guidance.focus();
  await expect(guidance).toBeFocused();
  await page.keyboard.type("5");
  await expect(guidance).toHaveValue("2");
  await expect(guidance).toHaveAttribute("aria-disabled", "true");
  await expect(page.getByRole("slider", { name: "Prompt ω" })).toHaveAttribute("data-disabled", "");
  expect(await violations(page)).toEqual([]);

  // The seed and settings of a run that JAX wrote without a prompt (test/fixtures/tiny-two-pass-run.json).
  await studio.set("Self-conditioning w", 1);
  await studio.set("Seed", 7);
  expect(await studio.write()).toBe("TheuuuuingTuCrTsC Wu");
  await expect(page.getByTestId("given")).toHaveCount(0);

  const example = page.getByRole("list", { name: "Try" }).getByRole("button", { name: "garden" });
  await example.focus();
  await page.keyboard.press("Enter");
  await expect(box).toHaveValue("garden");
  await expect(example).toHaveAttribute("aria-pressed", "true");
  await expect(guidance).toHaveAttribute("aria-disabled", "false");
  expect(await violations(page)).toEqual([]);
  // A run of so few steps may be over before anybody could see that it can be cancelled.
  await studio.generate.click();
  await expect(page.getByTestId("given")).toContainText("garden");
  await expect(studio.runs.first()).toContainText("ω 2");
  await expect(studio.generate).toHaveText(/^Generate/);
  await page.keyboard.press("u");
  await expect(box).toHaveValue("garden");

  await example.click();
  await expect(box).toHaveValue("");
  await expect(example).toHaveAttribute("aria-pressed", "false");
  await studio.generate.click();
  await expect(studio.runs).toHaveCount(3);
  await expect(page.getByTestId("given")).toHaveCount(0);
  expect(studio.faults).toEqual([]);
});
