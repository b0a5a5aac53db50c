/** The other ways to `<elf-playground>`: frames, hosts with policies of their own, React. Numbers as in docs/embed.md. */
import { join } from "node:path";
import { expect, test } from "@playwright/test";
import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { build, type Rolldown } from "vite";
import type { FrameMessage } from "../../src/embed/frameProtocol";
import { ElfPlayground } from "../../src/embed/react";
import { EmbedHost } from "./embed-host";

let host: EmbedHost;
/** Another origin, as a CDN or a site that lends frames. */
let other: EmbedHost;
test.beforeAll(async () => {
  [host, other] = await Promise.all([EmbedHost.start(), EmbedHost.start()]);
});
test.afterAll(async () => {
  await Promise.all([host.stop(), other.stop()]);
});

const wish = { seed: 1, settings: { steps: 2 } };

test("16, 17, 21: in frames of another site, one that speaks with its page and one in a sandbox", async ({ page }) => {
  const query = "trace=/traces/stories-fast.json&model=tiny-model&height=300";
  const named = `${other.url}embed/embed.html?${query}&origin=${new URL(host.url).origin}`;
  await page.goto(
    host.page(
      "frames",
      `<iframe id="named" title="A run" src="${named}" width="600" height="300"></iframe>
       <iframe id="boxed" title="A run" src="${other.url}embed/embed.html?${query}&origin=*" sandbox="allow-scripts" width="600" height="300"></iframe>`,
      {},
    ),
  );
  await page.evaluate(() => {
    const heard: unknown[] = [];
    Object.assign(window, { heard });
    addEventListener("message", ({ data }) => heard.push(data));
  });
  // Again, now that somebody listens.
  await page.locator("#named").evaluate((frame: HTMLIFrameElement) => {
    frame.src += "";
  });
  const heard = () => page.evaluate(() => (window as unknown as { heard: FrameMessage[] }).heard);
  await expect.poll(heard).toContainEqual({ elf: 1, type: "height", height: 300 });
  await expect
    .poll(async () => (await heard()).map((told) => (told.type === "event" ? told.name : "")))
    .toContain("elf-ready");
  const ask = (message: unknown) =>
    page
      .locator("#named")
      .evaluate(
        (frame: HTMLIFrameElement, [sent, origin]) => frame.contentWindow?.postMessage(sent, origin as string),
        [message, new URL(other.url).origin],
      );
  await ask({ elf: 1, id: "seek", method: "seek", argument: 2 });
  await ask({ elf: 9, id: "late", method: "play" });
  await ask({ elf: 1, id: "write", method: "generate", argument: wish });
  const answer = async (id: string) => (await heard()).find((told) => told.type === "answer" && told.id === id);
  await expect.poll(() => answer("seek")).toMatchObject({ problem: null });
  await expect.poll(() => answer("late")).toMatchObject({ problem: { name: "FrameError" } });
  await expect.poll(() => answer("write")).toMatchObject({ problem: null, result: { status: "done" } });

  const boxed = page.frameLocator("#boxed");
  await expect(boxed.getByText("Loads the model first. This frame is kept apart")).toBeVisible();
  await boxed.getByRole("button", { name: "Generate" }).click();
  await expect(boxed.getByText("The model is kept only until this page is closed.")).toBeVisible();
  // Nothing but what it was asked for came of the one whose origin is none.
  expect((await heard()).every(({ elf }) => elf === 1)).toBe(true);
});

test("2, 15, 16: from a CDN, on a host that is isolated from others", async ({ page }) => {
  const address = host.page(
    "isolated",
    '<elf-playground model="tiny-model">Words</elf-playground>',
    { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" },
    `${other.url}embed/elf-playground.js`,
  );
  await page.goto(address);
  await expect(page.getByText(`Loads the model from ${new URL(other.url).host} first.`)).toBeVisible();
  const told = await page.locator("elf-playground").evaluate(async (element, asked) => {
    const { status } = await (element as HTMLElementTagNameMap["elf-playground"]).generate(asked);
    return [status, crossOriginIsolated];
  }, wish);
  expect(told).toEqual(["done", true]);
});

test("13, 14: as a component of React, on a page and on a server", async ({ page }) => {
  const html = renderToString(createElement(ElfPlayground, { trace: "a.json", autoplay: true }, "Words"));
  expect(html).toBe('<elf-playground trace="a.json" autoplay="">Words</elf-playground>');

  const built = (await build({
    configFile: false,
    logLevel: "error",
    // The element itself is the built one.
    resolve: { alias: { "./main": "/embed/elf-playground.js" } },
    build: {
      write: false,
      rolldownOptions: {
        input: join(import.meta.dirname, "embed-react/page.tsx"),
        external: ["/embed/elf-playground.js"],
      },
    },
  })) as Rolldown.RolldownOutput;
  host.script("/react.js", built.output[0].code);
  await page.goto(host.page("react", "", {}, "/react.js"));
  const component = page.locator("#component");
  await expect(page.getByTestId("heard")).toHaveText("8 steps, step 8");
  await expect(component.getByRole("slider")).toBeVisible();
  await expect(component.getByRole("radio")).toHaveCount(0);
  await page.getByRole("button", { name: "Seek" }).click();
  await expect(page.getByTestId("heard")).toHaveText("8 steps, step 3");
  await page.getByRole("button", { name: "Lower" }).click();
  await expect.poll(async () => (await component.boundingBox())?.height).toBe(280);
  await expect(page.locator("#plain")).toHaveAttribute("speed", "2");
  // React 19 sets the properties that the element has, and no attributes.
  const bare = await page.locator("#bare").evaluate((element: HTMLElementTagNameMap["elf-playground"]) => {
    const before = [element.autoplay, element.loop, element.controls];
    Object.assign(element, { autoplay: false, loop: "", controls: [] });
    return [...before, element.autoplay, element.loop, element.controls];
  });
  expect(bare).toEqual([true, true, "none", false, true, "none"]);
});
