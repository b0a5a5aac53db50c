import { readFile } from "node:fs/promises";
import { expect, test } from "@playwright/test";
import { violations } from "./axe";
import { StudioPage } from "./studio-page";

test("a run is saved as text, run and pictures, and opens from its file when that is dropped", async ({ page }) => {
  const studio = new StudioPage(page);
  await page.emulateMedia({ reducedMotion: "reduce" });
  await studio.open({});
  await expect(studio.readout).toContainText("t = 1.00");
  await page.keyboard.press("a");
  const ways = page.getByRole("dialog", { name: "Save this run" });
  const save = async (name: string) => {
    const saved = page.waitForEvent("download");
    await ways.getByRole("button", { name }).click();
    const download = await saved;
    return { name: download.suggestedFilename(), bytes: await readFile(await download.path()) };
  };
  const text = await save("Save as text");
  expect(text.name).toBe("stories.txt");
  expect(await studio.stage.innerText()).toContain(text.bytes.toString("utf8").trim().slice(0, 30));
  const run = await save("Save as JSON");
  expect(JSON.parse(run.bytes.toString("utf8"))).toMatchObject({ model: "stories", recorded: true });
  const svg = await save("Save as SVG");
  const png = await save("Save as PNG");
  const gif = await save("Save as GIF");
  expect(gif.name).toBe("stories.gif");
  expect(gif.bytes.toString("latin1", 0, 6)).toBe("GIF89a");
  expect([gif.bytes.readUInt16LE(6), gif.bytes.readUInt16LE(8)]).toEqual([880, 420]);
  const film = await save("Save as film");
  expect(film.name).toMatch(/^stories\.(mp4|webm)$/);
  expect(film.bytes.length).toBeGreaterThan(20_000);
  // As any player would see it.
  const seen = await page.evaluate(async (text) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const video = Object.assign(document.createElement("video"), { src: URL.createObjectURL(new Blob([bytes])) });
    await new Promise((resolve, reject) => Object.assign(video, { onloadeddata: resolve, onerror: reject }));
    return { width: video.videoWidth, height: video.videoHeight, seconds: video.duration };
  }, film.bytes.toString("base64"));
  expect(seen).toMatchObject({ width: 1920, height: 1080 });
  expect(seen.seconds).toBeCloseTo(0.6 + 31 / 8 + 4, 1);
  await expect(ways.getByRole("button", { name: "Save as GIF" })).toBeVisible();
  expect(await violations(page)).toEqual([]);
  await page.keyboard.press("Escape");

  const drop = async ({ name, bytes }: typeof run) => {
    const carried = await page.evaluateHandle(
      ([name, text]) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))], name));
        return transfer;
      },
      [name, bytes.toString("base64")] as const,
    );
    await page.dispatchEvent("body", "drop", { dataTransfer: carried });
  };
  // The run is there already: nothing of it comes twice, and no model is looked for.
  for (const file of [run, svg, png, gif, film]) await drop(file);
  await expect(studio.runs).toHaveCount(1);
  await expect(page.getByTestId("linked")).toHaveCount(0);
  expect(await studio.alert.allTextContents()).toEqual([]);

  const foreign = run.bytes.toString("utf8").replace(/"seed":\d+/, '"seed":7');
  await drop({ name: "other.json", bytes: Buffer.from(foreign) });
  await expect(studio.runs).toHaveCount(2);
  await expect(studio.runs.first()).toContainText("From a file");
  for (const { name, bytes } of [svg, png, gif, film]) {
    const other = Buffer.from(bytes.toString("latin1").replace(/seed:\d+/, "seed:8"), "latin1");
    await drop({ name, bytes: name.endsWith("png") ? bytes : other });
  }
  await expect(page.getByTestId("linked")).toContainText("seed 8");
  await drop({ name: "holiday.png", bytes: Buffer.from("no picture") });
  await expect(studio.alert).toContainText("This picture says of no run.");
  expect(studio.faults).toEqual([]);
});

test("a saved run is opened by the keyboard alone, and from the sheet where runs are saved", async ({ page }) => {
  const studio = new StudioPage(page);
  await studio.open({});
  await expect(studio.runs).toHaveCount(1);
  const recorded = await (await page.request.get("traces/stories.json")).text();
  const runOfSeed = (seed: number) => ({
    name: "run.json",
    mimeType: "application/json",
    buffer: Buffer.from(recorded.replace(/"seed":\s*\d+/, `"seed":${seed}`)),
  });
  const picked = page.waitForEvent("filechooser");
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "What to do" }).fill("open a file");
  await page.keyboard.press("Enter");
  await (await picked).setFiles(runOfSeed(7));
  await expect(studio.runs).toHaveCount(2);
  await expect(studio.runs.first()).toContainText("From a file");

  await page.keyboard.press("a");
  const ways = page.getByRole("dialog", { name: "Save this run" });
  const again = page.waitForEvent("filechooser");
  await ways.getByRole("button", { name: "Open a file…" }).click();
  await (await again).setFiles([runOfSeed(8), runOfSeed(9)]);
  await expect(studio.runs).toHaveCount(4);
  await expect(ways, "what is opened is to be seen").toHaveCount(0);
  expect(await page.locator("input[type=file][accept]").count()).toBe(0);
  expect(studio.faults).toEqual([]);
});
