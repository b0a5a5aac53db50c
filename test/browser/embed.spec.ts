/** `<elf-playground>` in other people's pages. The numbers are those of the points in docs/embed.md. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import AxeBuilder from "@axe-core/playwright";
import { expect, type Page, test } from "@playwright/test";
import type {} from "../../src/embed/main";
import { recipeOf } from "../../src/flow/recipe";
import { recipeIn } from "../../src/format/link";
import { readTrace } from "../../src/format/trace";
import { EmbedHost } from "./embed-host";

/** What the script that pages name may weigh, packed, with all that it fetches at once. */
const MOST_BYTES = 60_000;

let host: EmbedHost;
let faults: string[] = [];
test.beforeAll(async () => {
  host = await EmbedHost.start();
});
test.afterAll(() => host.stop());
test.beforeEach(({ page }) => {
  faults = [];
  host.asked.length = 0;
  page.on("pageerror", ({ message }) => faults.push(message));
  page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
});

/** Moves of the page's layout, as the browser counts them. */
async function shift(page: Page): Promise<number> {
  return page.evaluate(
    () =>
      new Promise<number>((resolve) => {
        const seen = new PerformanceObserver((list) => {
          const entries = list.getEntries() as (PerformanceEntry & { value: number })[];
          resolve(entries.reduce((sum, { value }) => sum + value, 0));
        });
        seen.observe({ type: "layout-shift", buffered: true });
        setTimeout(() => resolve(0), 200);
      }),
  );
}

test("2: the script weighs no more than it may, and brings no part of the engine along", () => {
  const script = readFileSync(join(import.meta.dirname, "../../dist/embed/elf-playground.js"));
  const bytes = gzipSync(script, { level: 9 }).length;
  test.info().annotations.push({ type: "kB gz", description: (bytes / 1000).toFixed(1) });
  expect(bytes).toBeLessThanOrEqual(MOST_BYTES);
  expect(script.toString()).not.toMatch(/^import\s*[{*"']|from"\.\//m);
});

test("1, 4, 9, 11, 15, 24, 31: the text stands there first, then its run, under a strict policy, and nothing moves", async ({
  page,
}) => {
  const body = `<p id="before">Before</p>
    <elf-playground trace="/traces/stories.json" controls="play scrub reading speed"><p>The mom put the bag.</p></elf-playground><p id="after">After</p>`;
  const address = host.page("first", body);
  // Before any script, and without one: the text of the trace.
  await page.route("**/elf-playground.js", (route) => route.abort());
  await page.goto(address);
  await expect(page.getByText("The mom put the bag.")).toBeVisible();
  const box = await page.locator("elf-playground").boundingBox();
  const after = await page.locator("#after").boundingBox();
  await page.unrouteAll();
  faults.length = 0;

  await page.goto(address);
  const figure = page.locator("elf-playground");
  await expect(figure.getByTestId("readout")).toContainText("step 32 of 32");
  await expect(page.getByText("The mom put the bag.")).toBeHidden();
  expect(await figure.boundingBox()).toEqual(box);
  expect(await page.locator("#after").boundingBox()).toEqual(after);
  const waited = await page.evaluate(() => {
    const [script] = performance.getEntriesByName(new URL("/embed/elf-playground.js", location.href).href);
    const [trace] = performance.getEntriesByName(new URL("/traces/stories.json", location.href).href);
    const ends = [script, trace].map(
      (entry) => (entry as PerformanceResourceTiming | undefined)?.responseEnd ?? Number.NaN,
    );
    return (ends[1] ?? 0) - (ends[0] ?? 0);
  });
  test.info().annotations.push({ type: "ms from the script to its trace", description: waited.toFixed(0) });
  expect(host.asked.filter((path) => /worker|wasm|models|later/.test(path))).toEqual([]);

  expect(await shift(page)).toBe(0);

  // It plays to its end; the keyboard goes where it is led, and nowhere by itself.
  expect(await page.evaluate(() => [document.activeElement?.tagName, scrollY])).toEqual(["BODY", 0]);
  await figure.getByRole("radio", { name: "4×" }).click();
  await figure.getByRole("button", { name: "Play" }).click();
  await expect(figure.getByTestId("readout")).toContainText("step 32 of 32");
  await figure.getByRole("slider").press("Home");
  await figure.getByRole("slider").press("ArrowRight");
  await expect(figure.getByTestId("readout")).toContainText("step 1 of 32");
  // The words of a text that changes take other places; those of the page around do not.
  expect(await page.locator("#after").boundingBox()).toEqual(after);

  // A page's tastes end at its root.
  const taste = await figure.getByRole("radio", { name: "What it holds" }).evaluate((choice) => {
    const { textTransform, letterSpacing } = getComputedStyle(choice);
    return [textTransform, letterSpacing];
  });
  expect(taste).toEqual(["none", "normal"]);
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    const { violations } = await new AxeBuilder({ page }).include("elf-playground").analyze();
    expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target)}`)).toEqual([]);
  }
  await expect(figure.getByText("Plays start, middle and end")).toBeVisible();

  await page.emulateMedia({ media: "print" });
  await expect(figure.getByTestId("stage-text")).toBeVisible();
  await expect(figure.getByRole("slider")).toBeHidden();
  expect(faults).toEqual([]);
});

test("2, 7, 11, 12: a lens beside the text or under it, in a part of the script that comes when it is wanted", async ({
  page,
}) => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  await page.goto(host.page("lens", '<elf-playground trace="/traces/stories.json"></elf-playground>'));
  const figure = page.locator("elf-playground");
  await expect(figure.getByTestId("readout")).toContainText("step 32 of 32");
  const parts = () => host.asked.filter((path) => /\/later-/.test(path));
  expect(parts()).toEqual([]);
  await figure.evaluate((element: HTMLElementTagNameMap["elf-playground"]) => {
    element.lens = "certainty";
  });
  const picture = figure.getByRole("img", { name: /^Of \d+ words half have settled by step/ });
  await expect(picture).toBeVisible();
  expect(parts()).toHaveLength(1);
  expect(host.asked.some((path) => /worker-/.test(path))).toBe(false);
  // A press leads to its place: the first column, behind the words of the rows.
  await picture.click({ position: { x: 100, y: 5 } });
  await expect(figure.getByTestId("readout")).toContainText("step 0 of 32");
  const text = await figure.getByRole("listbox").boundingBox();
  const under = await picture.boundingBox();
  expect(under?.y).toBeGreaterThan(text?.y ?? Number.NaN);
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    const { violations } = await new AxeBuilder({ page }).include("elf-playground").analyze();
    expect(violations.map(({ id }) => id)).toEqual([]);
  }
  await page.setViewportSize({ width: 1100, height: 1000 });
  await page.evaluate(() => {
    document.body.style.width = "1000px";
  });
  await expect
    .poll(
      async () => ((await picture.boundingBox())?.x ?? 0) - ((await figure.getByRole("listbox").boundingBox())?.x ?? 0),
    )
    .toBeGreaterThan(400);
  await figure.evaluate((element) => element.setAttribute("height", "500"));
  expect((await figure.boundingBox())?.height).toBe(500);
  await figure.evaluate((element) => element.setAttribute("lens", "text"));
  await expect(picture).toHaveCount(0);
  expect(faults).toEqual([]);
});

test("9, 11, 12, 24: keys that are used in it are its own; it fits on paper, and into other colours and documents", async ({
  page,
}) => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  const body = `<elf-playground trace="/traces/stories.json" model="tiny-model" controls="all" lens="certainty" theme="light"
    height="500"></elf-playground><p id="after">After</p>`;
  await page.goto(host.page("keys", body));
  const figure = page.locator("elf-playground");
  await expect(figure.getByTestId("readout")).toContainText("step 32 of 32");
  // A page that goes by single keys, as slides do, and leaves none of them to anybody else.
  await page.evaluate(() => {
    const heard: string[] = [];
    Object.assign(window, { heard });
    document.addEventListener("keydown", (event) => {
      heard.push(event.key);
      event.preventDefault();
    });
  });
  const heard = () => page.evaluate(() => (window as unknown as { heard: string[] }).heard.splice(0));
  await figure.getByRole("slider").press("ArrowLeft");
  await expect(figure.getByTestId("readout")).toContainText("step 31 of 32");
  await figure.getByRole("radio", { name: "What it expects" }).press("Space");
  await expect(figure.getByRole("radio", { name: "What it expects" })).toBeChecked();
  await figure.getByRole("textbox").pressSequentially("No n");
  await expect(figure.getByRole("textbox")).toHaveValue("No n");
  expect(await heard()).toEqual([]);
  await figure.getByRole("slider").press("n");
  await page.keyboard.press("Escape");
  expect(await heard()).toEqual(["n", "Escape"]);
  // What does not type there is the page's, and so are the keys of what it has put into the slots.
  const prompt = figure.getByRole("textbox");
  for (const key of ["Home", "Delete", "Escape", "PageDown", "Tab"]) await prompt.press(key);
  await expect(prompt).toHaveValue("o n");
  await figure.evaluate((element) => {
    const button = Object.assign(document.createElement("button"), { slot: "caption", textContent: "In the caption" });
    element.append(button);
  });
  const caption = page.getByRole("button", { name: "In the caption" });
  await caption.press("Space");
  await caption.evaluate((button) => button.remove());
  expect(await heard()).toEqual(["Escape", "PageDown", "Tab", " "]);

  // The inks of a picture are those of the colours that it is seen in, whoever chooses them.
  const picture = () => figure.locator("canvas").evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());
  await expect(figure.locator("canvas")).toBeVisible();
  await page.waitForTimeout(200);
  const light = await picture();
  await figure.evaluate((element) => element.setAttribute("theme", "dark"));
  await expect.poll(picture).not.toBe(light);
  const dark = await picture();
  await figure.evaluate((element) => element.removeAttribute("theme"));
  await expect.poll(picture).toBe(light);
  await page.evaluate(() => {
    document.documentElement.style.colorScheme = "dark";
  });
  await expect.poll(picture).toBe(dark);

  await figure.evaluate((element) => element.setAttribute("height", "160"));
  await page.emulateMedia({ media: "print" });
  const text = await figure.getByTestId("stage-text").boundingBox();
  const after = await page.locator("#after").boundingBox();
  expect((text?.y ?? 0) + (text?.height ?? Number.NaN)).toBeLessThanOrEqual(after?.y ?? 0);
  await page.emulateMedia({ media: "screen" });

  const elsewhere = await figure.evaluate((element: HTMLElementTagNameMap["elf-playground"]) => {
    const frame = document.createElement("iframe");
    document.body.append(frame);
    const page = frame.contentDocument as Document;
    page.body.append(element);
    const inner = element.shadowRoot?.querySelector(".figure") as Element;
    return [page.defaultView?.getComputedStyle(inner).display, element.offsetHeight, element.step];
  });
  expect(elsewhere).toEqual(["flex", 160, 31]);
  expect(faults).toEqual([]);
});

test("26, 33: a frame as the file of a picture, which says how it came about", async ({ page }) => {
  await page.goto(host.page("picture", '<elf-playground trace="/traces/stories.json" theme="dark"></elf-playground>'));
  const { svg, png, colours, refused } = await page.locator("elf-playground").evaluate(async (found) => {
    const element = found as HTMLElementTagNameMap["elf-playground"];
    const png = await element.toBlob("png", { step: 16 });
    await element.seek(16);
    const svg = await element.toBlob("svg", { width: 600, height: 400, theme: "light" });
    const image = await createImageBitmap(png);
    const canvas = new OffscreenCanvas(image.width, image.height);
    const context = canvas.getContext("2d");
    context?.drawImage(image, 0, 0);
    const { data } = context?.getImageData(0, 0, image.width, image.height) ?? { data: [] };
    const colours = new Set(Array.from({ length: data.length / 4 }, (_, i) => data.slice(4 * i, 4 * i + 3).join(" ")));
    return {
      svg: await svg.text(),
      png: [png.type, ...new Uint8Array(await png.arrayBuffer())],
      colours: [image.width, image.height, data.slice(0, 3).join(" "), colours.size],
      refused: await Promise.all(
        [element.toBlob("webp" as "svg"), element.toBlob("png", { width: 1 }), element.toBlob("svg", { step: 99 })].map(
          (blob) => blob.catch((error: Error) => [error.name, error.message]),
        ),
      ),
    };
  });
  expect(colours.slice(0, 3)).toEqual([1200, 630, "20 19 25"]);
  // Words of many certainties, and their edges.
  expect(colours[3]).toBeGreaterThan(100);
  const [type, ...bytes] = png;
  expect(type).toBe("image/png");
  const file = Buffer.from(bytes as number[]);
  writeFileSync(test.info().outputPath("frame.png"), file);
  writeFileSync(test.info().outputPath("frame.svg"), svg);
  const [, note = ""] = /iTXtelf-playground\0{5}(\{.*?\})/.exec(file.toString("latin1")) ?? [];
  const recorded = readTrace(readFileSync(join(import.meta.dirname, "../../public/traces/stories.json"), "utf8"));
  const { recipe, step } = JSON.parse(note);
  expect(step).toBe(16);
  expect(recipeIn(`#${recipe}`)).toEqual(recipeOf(recorded.trajectory));

  expect(refused).toEqual([
    ["PictureError", expect.stringContaining("“webp” is no kind")],
    ["PictureError", expect.stringContaining("width is 1")],
    ["PictureError", expect.stringContaining("no frame 99")],
  ]);
  expect(page.workers()).toEqual([]);
  expect(faults).toEqual([]);

  await page.goto(`data:image/svg+xml,${encodeURIComponent(svg)}`);
  const whole = await page.evaluate(() => {
    const { documentElement } = document;
    const note = JSON.parse(documentElement.querySelector("metadata")?.textContent ?? "null");
    return [documentElement.localName, documentElement.querySelector("title")?.textContent, note.recipe];
  });
  expect(whole).toEqual(["svg", expect.stringContaining("step 16 of 32"), recipe]);
});

test("26: a run as a GIF, packed by a part of the script that comes when it is wanted", async ({ page }) => {
  await page.goto(
    host.page("gif", '<elf-playground trace="/traces/stories-fast.json" theme="light"></elf-playground>'),
  );
  const figure = page.locator("elf-playground");
  await expect(figure.getByTestId("readout")).toContainText("step 8 of 8");
  expect(host.asked.filter((path) => path.includes("gifenc"))).toEqual([]);
  const { file, told, seconds, decoded, refused } = await figure.evaluate(async (found) => {
    const element = found as HTMLElementTagNameMap["elf-playground"];
    const told: string[] = [];
    const began = performance.now();
    const gif = await element.toBlob("gif", { fps: 5, onProgress: (done, total) => told.push(`${done} of ${total}`) });
    const seconds = (performance.now() - began) / 1000;
    const image = new ImageDecoder({ data: await gif.arrayBuffer(), type: gif.type });
    await image.tracks.ready;
    const count = image.tracks.selectedTrack?.frameCount ?? 0;
    const frames = [];
    for (let frameIndex = 0; frameIndex < count; frameIndex++) {
      const { image: frame } = await image.decode({ frameIndex });
      const { displayWidth: width, displayHeight: height, duration } = frame;
      const context = new OffscreenCanvas(width, height).getContext("2d");
      context?.drawImage(frame, 0, 0);
      const pixels = new Uint32Array(context?.getImageData(0, 0, width, height).data.buffer ?? []);
      const colours = [...new Set(pixels)];
      // Dark pixels stand where a word is sure: the more of them, the further the text is.
      const dark = pixels.filter((pixel) => (pixel & 255) < 60).length;
      const paper = pixels.filter((pixel) => pixel === 0xfff6fafc).length / pixels.length;
      frames.push({ width, height, milliseconds: (duration ?? 0) / 1000, colours: colours.length, dark, paper });
      frame.close();
    }
    const aborted = new AbortController();
    const refused = [
      element.toBlob("gif", { fps: 0 }),
      element.toBlob("gif", { fps: Number.NaN }),
      element.toBlob("gif", { width: 12.5 }),
      element.toBlob("gif", { step: 99 }),
      element.toBlob("gif", { width: 8192, height: 8192 }),
      element.toBlob("gif", { signal: aborted.signal, onProgress: () => aborted.abort() }),
    ].map((gif) => gif.catch(({ name, message }: Error) => `${name}: ${message}`));
    return {
      file: [...new Uint8Array(await gif.arrayBuffer())],
      told,
      seconds,
      decoded: { kind: gif.type, loops: image.tracks.selectedTrack?.repetitionCount, frames },
      refused: await Promise.all(refused),
    };
  });
  test.info().annotations.push({ type: "GIF", description: `${file.length} bytes in ${seconds.toFixed(2)} s` });
  writeFileSync(test.info().outputPath("run.gif"), Uint8Array.from(file));
  expect(told).toEqual(Array.from({ length: 9 }, (_, i) => `${i + 1} of 9`));
  expect(decoded).toMatchObject({ kind: "image/gif", loops: Number.POSITIVE_INFINITY });
  const { frames } = decoded;
  expect(frames.map(({ width, height }) => `${width} ${height}`)).toEqual(Array(9).fill("880 420"));
  expect(frames.map(({ milliseconds }) => milliseconds)).toEqual([600, ...Array(7).fill(200), 4000]);
  // Paper that stays paper, at the beginning faint words, at the end a text in ink.
  for (const { paper, colours } of frames) {
    expect(paper).toBeGreaterThan(0.7);
    expect(colours).toBeGreaterThan(10);
  }
  expect(frames[8]?.dark).toBeGreaterThan(1000);
  expect(frames[8]?.dark).toBeGreaterThan(1.5 * (frames[0]?.dark ?? Number.POSITIVE_INFINITY));
  expect(JSON.parse(commentOf(Buffer.from(file)))).toMatchObject({
    model: "stories-fast",
    step: 8,
    recipe: expect.stringContaining("run="),
  });
  expect(refused).toEqual([
    "PictureError: fps is 0.",
    "PictureError: fps is NaN.",
    "PictureError: width is 12.5.",
    "PictureError: The run has no frame 99.",
    "PictureError: 9 frames of 8192 × 8192 pixels are too much for one GIF.",
    "CancelledError: The GIF was cancelled.",
  ]);
  expect(host.asked.filter((path) => path.includes("gifenc"))).toHaveLength(1);
  expect(page.workers()).toEqual([]);
  expect(faults).toEqual([]);
});

/** The comment at the end of a GIF, which stands there in blocks, each behind its length. */
function commentOf(gif: Buffer): string {
  let at = gif.lastIndexOf("!\xfe", undefined, "latin1") + 2;
  let text = "";
  for (let length = gif[at] ?? 0; length > 0; length = gif[at] ?? 0) {
    text += gif.toString("ascii", at + 1, at + 1 + length);
    at += 1 + length;
  }
  return text;
}

test("3, 6, 7, 8, 19, 26: twenty elements share one engine in turn, and give all of it back", async ({ page }) => {
  const figures = Array.from(
    { length: 20 },
    (_, i) => `<elf-playground id="e${i}" model="tiny-model" height="200">Text ${i}</elf-playground>`,
  );
  await page.goto(host.page("twenty", figures.join("")));
  await expect(page.locator("#e0").getByRole("button", { name: "Generate" })).toBeVisible();
  await expect(page.locator("#e0").getByText("Nothing is written yet.")).toBeVisible();
  expect(host.asked.filter((path) => /worker|wasm|models|later/.test(path))).toEqual([]);

  const { told, statuses, same, refused } = await page.evaluate(async () => {
    const element = (id: string) => document.getElementById(id) as HTMLElementTagNameMap["elf-playground"];
    const told: string[] = [];
    for (const type of ["elf-run", "elf-done"] as const)
      document.addEventListener(type, ({ target }) => told.push(`${(target as Element).id} ${type}`));
    const wish = { seed: 1, settings: { steps: 4 } };
    const first = await Promise.all(["e0", "e1", "e2"].map((id) => element(id).generate(wish)));
    // The newest of one element ends its own, and no other's.
    const long = element("e0").generate({ seed: 1, settings: { steps: 1024 } });
    const other = element("e1").generate(wish);
    const newest = element("e0").generate(wish);
    const second = await Promise.all([long, other, newest]);
    const refused = await element("e3")
      .generate({ settings: { steps: 9999 } })
      .catch((error: Error) => error.name);
    return {
      told,
      statuses: [...first, ...second].map(({ status }) => status),
      same: new Set([...first, ...second.slice(1)].map(({ text }) => text)).size,
      refused,
    };
  });
  expect(statuses).toEqual(["done", "done", "done", "cancelled", "done", "done"]);
  expect(same, "texts by one seed").toBe(1);
  expect(told.slice(0, 6)).toEqual(["e0", "e1", "e2"].flatMap((id) => [`${id} elf-run`, `${id} elf-done`]));
  expect(page.workers()).toHaveLength(1);
  expect(host.asked.filter((path) => path.endsWith("/manifest.json"))).toHaveLength(1);

  // What went wrong stands in the box of that one, with what to do; the others go on.
  expect(refused).toBe("SettingsError");
  const third = page.locator("#e3");
  await expect(third.getByRole("alert")).toContainText("steps is 9999.");
  await third.getByRole("button", { name: "Dismiss" }).click();
  await expect(third.getByRole("alert")).toHaveCount(0);
  // A turn that has to be waited for is seen, and can be given up.
  await page.evaluate(() => {
    for (const id of ["e0", "e2"]) {
      const element = document.getElementById(id) as HTMLElementTagNameMap["elf-playground"];
      void element.generate({ settings: { steps: 1024 } });
    }
  });
  await third.getByRole("button", { name: "Generate" }).click();
  await expect(third.getByText(/Waits for its turn, [12] before it/)).toBeVisible();
  await third.getByRole("button", { name: "Stop" }).click();
  await expect(third.getByRole("button", { name: "Generate" })).toBeVisible();
  await page.evaluate(() => {
    for (const id of ["e0", "e2"]) (document.getElementById(id) as HTMLElementTagNameMap["elf-playground"]).cancel();
  });

  // A fork, and a run that goes on where it stood when its element is put elsewhere.
  const forked = await page.locator("#e1").evaluate(async (element: HTMLElementTagNameMap["elf-playground"]) => {
    await element.seek(2);
    const { status } = await element.fork({ settings: { method: "sde", gamma: 1, solver: "euler" } });
    const [text, trace] = [element.text, JSON.parse(element.toTrace())];
    await element.seek(3);
    document.body.prepend(element);
    return {
      status,
      same: element.text === text,
      step: element.step,
      from: trace.from.step,
      frames: trace.frames.length,
    };
  });
  expect(forked).toEqual({ status: "done", same: true, step: 3, from: 2, frames: 5 });

  // Fifty mounts and removals leave nothing behind, and with the last element its worker goes.
  const session = await page.context().newCDPSession(page);
  const collect = async () => {
    await session.send("HeapProfiler.collectGarbage");
    const { jsEventListeners, nodes } = await session.send("Memory.getDOMCounters");
    const { usedSize } = await session.send("Runtime.getHeapUsage");
    return { jsEventListeners, nodes, heap: usedSize };
  };
  /** What is left when the last element's tasks have run too: one collection may come before them. */
  const counts = async () => {
    let [before, now] = [await collect(), await collect()];
    for (let i = 0; i < 20 && now.jsEventListeners !== before.jsEventListeners; i++)
      [before, now] = [now, await collect()];
    return now;
  };
  const mount = (times: number) =>
    page.evaluate(async (count) => {
      document.body.replaceChildren();
      for (let i = 0; i < count; i++) {
        const element = document.createElement("elf-playground");
        element.trace = "/traces/stories-fast.json";
        document.body.append(element);
        await element.play();
        element.remove();
      }
    }, times);
  await mount(3);
  const before = await counts();
  await mount(50);
  const after = await counts();
  test.info().annotations.push({ type: "50 mounts", description: JSON.stringify({ before, after }) });
  expect(after.jsEventListeners).toBeLessThanOrEqual(before.jsEventListeners);
  expect(after.nodes - before.nodes).toBeLessThan(50);
  // One run of the fixtures takes more than this when it is kept.
  expect(after.heap - before.heap).toBeLessThan(1_500_000);
  await expect.poll(() => page.workers().length).toBe(0);
  expect(faults.filter((fault) => !fault.includes("steps is 9999"))).toEqual([]);
});

/** A recorded run with something changed, as a script of the element's own. */
function inline(change: (trace: Record<string, unknown>) => void): string {
  const trace = JSON.parse(readFileSync(join(import.meta.dirname, "../../public/traces/translate-de-en.json"), "utf8"));
  change(trace);
  return `<script type="application/json">${JSON.stringify(trace).replaceAll("<", "\\u003c")}</script>`;
}

test("7, 10, 12, 19, 20, 22, 23, 31: what its attributes say, in words of the page's language, and what is refused", async ({
  page,
}) => {
  const warned: string[] = [];
  page.on("console", (message) => message.type() === "warning" && warned.push(message.text()));
  const hostile = '<img src=x onerror="document.title=1">';
  const body = `
    <script type="module" src="/embed/elf-playground.js?again"></script>
    <div style="width: 280px" lang="de-AT"><elf-playground id="german" trace="/traces/translate-de-en.json" controls="all"
      reading="expects" speed="2" theme="dark"></elf-playground></div>
    <elf-playground id="poster" preload="none" trace="/traces/stories-fast.json"><b slot="poster">Look</b> At once
      <i slot="caption">Caption</i></elf-playground>
    <elf-playground id="wrong" speed="3" theme="sepia" controls="none" trace="/traces/stories-fast.json"></elf-playground>
    <elf-playground id="wrong-too" speed="3" trace="/traces/stories-fast.json"></elf-playground>
    <elf-playground id="later">Words${inline((trace) => Object.assign(trace, { version: 99 }))}</elf-playground>
    <elf-playground id="html">${inline((trace) => {
      Object.assign(trace, { title: hostile, text: hostile, prompt: { text: hostile } });
      Object.assign(trace.pieces as object, { 18: `▁${hostile}` });
    })}</elf-playground>
    <elf-playground id="missing" trace="/traces/none.json" model="tiny-model"
      recipe="run=steps:many">Words <em slot="error">The page's own words</em></elf-playground>
    <elf-playground id="nothing">Words</elf-playground>
    <elf-playground id="recipe" trace="/traces/stories-fast.json" model="tiny-model" recipe="run=steps:many"></elf-playground>`;
  await page.goto(host.page("attributes", body));
  const figure = (id: string) => page.locator(`#${id}`);

  // 12, 23: narrow, dark, and in German, numbers too.
  await expect(figure("german").getByRole("radio", { name: "Was es erwartet" })).toBeChecked();
  await expect(figure("german").getByTestId("readout")).toContainText("t = 1,00");
  await expect(figure("german").getByRole("radio", { name: "2×" })).toBeChecked();
  const dark = await figure("german").evaluate((element) => {
    const figure = element.shadowRoot?.querySelector(".figure") as Element;
    return [getComputedStyle(figure).backgroundColor, figure.scrollWidth - figure.clientWidth];
  });
  expect(dark).toEqual(["rgb(20, 19, 25)", 0]);
  // Where the page is dark and the system is not, so is what follows it.
  await page.evaluate(() => {
    document.documentElement.style.colorScheme = "dark";
  });
  await figure("wrong").scrollIntoViewIfNeeded();
  await expect(figure("wrong").locator(".figure")).toHaveCSS("background-color", "rgb(20, 19, 25)");

  // 10, 31: the poster is a button, and nothing is fetched before it is pressed.
  const poster = figure("poster").getByRole("button", { name: /Look/ });
  await expect(poster).toBeVisible();
  await poster.focus();
  await page.keyboard.press("Space");
  await expect(figure("poster").getByRole("button", { name: "Pause" })).toBeVisible();
  await expect(figure("poster").getByText("Caption")).toBeVisible();

  // 7: unknown values fall back and are named once; properties reflect.
  await figure("wrong").scrollIntoViewIfNeeded();
  await expect(figure("wrong").getByTestId("stage-text")).toBeVisible();
  await expect(figure("wrong").getByRole("slider")).toHaveCount(0);
  expect(warned.filter((words) => words.includes('speed="3"'))).toHaveLength(1);
  expect(warned.filter((words) => words.includes("give auto, light or dark"))).toHaveLength(1);
  const reflected = await figure("wrong").evaluate((element: HTMLElementTagNameMap["elf-playground"]) => {
    const before = [element.speed, element.theme, element.autoplay, element.height];
    Object.assign(element, { speed: 4, theme: "light", loop: true, height: 300, group: "a" });
    element.trace = "";
    return [before, element.getAttributeNames().filter((name) => name !== "id"), element.offsetHeight, element.speed];
  });
  expect(reflected).toEqual([
    [1, "auto", false, 420],
    ["speed", "theme", "controls", "trace", "loop", "height", "group"],
    300,
    4,
  ]);

  // 31: what was set before the script knew of the element counts; 22: a second script takes nothing away.
  const upgraded = await page.evaluate(async () => {
    const before = document.createElement("elf-playground-late") as HTMLElement & { speed?: number };
    before.speed = 2;
    document.body.append(before);
    const { ElfPlayground } = await import(/* @vite-ignore */ new URL("/embed/elf-playground.js", location.href).href);
    customElements.define("elf-playground-late", class extends ElfPlayground {} as CustomElementConstructor);
    return [before.speed, before.getAttribute("speed")];
  });
  expect(upgraded).toEqual([2, "2"]);

  // 19, 20: by name in the box, with what to do; the page's words stay, and nothing of a stranger's trace is HTML.
  const alert = (id: string) => figure(id).getByRole("alert");
  for (const id of ["later", "html", "missing", "nothing", "recipe"]) await figure(id).scrollIntoViewIfNeeded();
  await expect(alert("later")).toContainText("TraceError");
  await expect(alert("later")).toContainText("version");
  await expect(figure("later").getByText("Words")).toBeVisible();
  await expect(alert("nothing")).toContainText('Give it trace="ADDRESS"');
  await expect(alert("missing")).toHaveAttribute("data-code", "unreachable-trace");
  await expect(figure("missing").getByText("The page's own words")).toBeVisible();
  await expect(figure("html").getByTestId("given")).toContainText(hostile);
  await expect(figure("html").locator("img")).toHaveCount(0);
  expect(await page.title()).toBe("attributes");
  await figure("recipe").getByRole("button", { name: "Generate" }).click();
  await expect(alert("recipe")).toContainText("RecipeError");
  // The recorded run is still there to be played.
  await figure("recipe").getByRole("slider").press("Home");
  await expect(figure("recipe").getByTestId("readout")).toContainText("step 0 of");
  expect(page.workers()).toEqual([]);
});

test("5, 8, 24, 25: time stands still out of sight, is shared by a group, and its events are heard outside", async ({
  page,
}) => {
  const body = `<elf-playground id="a" group="one" trace="/traces/stories-fast.json"></elf-playground>
    <elf-playground id="b" group="one" trace="/traces/stories.json" speed="0.25"></elf-playground>
    <details><summary>More</summary><elf-playground id="hidden" trace="/traces/translate-de-en.json" autoplay></elf-playground></details>
    <div id="far"></div>`;
  await page.goto(host.page("time", body));
  const figure = (id: string) => page.locator(`#${id}`);
  await page.evaluate(() => {
    (document.getElementById("far") as HTMLElement).style.height = "4000px";
    const told: string[] = [];
    Object.assign(window, { told });
    document.body.addEventListener("elf-frame", ({ target, detail }) =>
      told.push(`${(target as Element).id} ${detail.step}`),
    );
  });
  const told = () => page.evaluate(() => (window as unknown as { told: string[] }).told);
  const step = () => figure("b").evaluate((element: HTMLElementTagNameMap["elf-playground"]) => element.step);

  // 25: eight steps and thirty-two show one time.
  await figure("a").getByRole("slider").press("Home");
  await expect(figure("b").getByTestId("readout")).toContainText("step 0 of 32");
  await figure("a").getByRole("slider").press("End");
  await expect(figure("b").getByTestId("readout")).toContainText("step 32 of 32");
  expect(await told()).toContain("a 0");
  expect(await told()).toContain("b 32");

  // 24, 5: what is folded away begins when it is seen.
  expect((await told()).filter((line) => line.startsWith("hidden"))).toEqual([]);
  await page.getByText("More", { exact: true }).click();
  await expect.poll(told).toContain("hidden 8");

  // 5: it stops out of sight, and goes on from there.
  await page.evaluate(() => scrollTo(0, 0));
  await figure("b").evaluate((element: HTMLElementTagNameMap["elf-playground"]) =>
    element.seek(0).then(() => element.play()),
  );
  await expect.poll(step).toBeGreaterThan(1);
  await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
  await page.waitForTimeout(400);
  const stood = await step();
  await page.waitForTimeout(1500);
  expect(await step()).toBe(stood);
  await page.evaluate(() => scrollTo(0, 0));
  await expect.poll(step).toBeGreaterThan(stood);
  expect(faults).toEqual([]);
});
