/** Bad networks and bad servers, under a download. */
import { expect } from "@playwright/test";
import { ModelServer } from "../browser/model-server";
import type { Manners } from "../browser/nasty-server";
import { lasting, type Survival, scene } from "./fault";
import { Visitor } from "./visitor";

interface Stage {
  readonly visitor: Visitor;
  readonly server: ModelServer;
}

const TITLE = /^Tiny, conditional$/;

/** Treats the file of weights so, and everything else well. */
const weights =
  (manners: (turn: number) => Manners): Parameters<ModelServer["treat"]>[0] =>
  ({ path, turn }) =>
    path.endsWith(".bin") ? manners(turn) : {};

/** A download that the server's fault ends: by name, and nothing of it is stored as good. The next press has it. */
const ended =
  (manners: Manners) =>
  async (stage: Stage): Promise<Survival> => {
    const { visitor } = stage;
    await download(
      stage,
      weights(() => manners),
    );
    const sees = await visitor.alerted();
    const keeps = await visitor.keepsAll();
    await visitor.alert.getByRole("button", { name: "Dismiss" }).click();
    await visitor.entry(TITLE).getByRole("button", { name: "Download only" }).waitFor();
    stage.server.treat(() => ({}));
    await visitor.entry(TITLE).getByRole("button", { name: "Download only" }).click();
    return {
      sees,
      keeps,
      goesOn: `from a server that is well, a press on Download only stores it; ${await writesOn(stage)}`,
    };
  };

/** A download that gets over the fault by itself, and tells of it meanwhile. */
const passed =
  (manners: (turn: number) => Manners) =>
  async (stage: Stage): Promise<Survival> => {
    const { visitor } = stage;
    const told = await listen(visitor);
    await download(stage, weights(manners));
    await expect(visitor.entry(TITLE)).toContainText("stored on this device");
    const sees = (await told()).find((words) => /Trying again|once more|asked for/.test(words));
    if (!sees) throw new Error("Nothing is said of it.");
    await expect(visitor.alert).toHaveCount(0);
    const keeps = await visitor.keepsAll();
    const says = lasting(sees.replace(/ (at once|in \d+ s)?( \(try \d+\))?$/, ""));
    return {
      sees: `in the bar: “${says}”`,
      keeps,
      goesOn: `the download, by itself, to its end; ${await writesOn(stage)}`,
    };
  };

/** A download that comes to its end as if nothing were wrong. */
async function unnoticed(stage: Stage, manners: Parameters<ModelServer["treat"]>[0]): Promise<Survival> {
  await download(stage, manners);
  await expect(stage.visitor.entry(TITLE)).toContainText("stored on this device");
  const sees = await stage.visitor.saysNothing();
  return {
    sees,
    keeps: await stage.visitor.keepsAll(),
    goesOn: `the file is whole, and stored; ${await writesOn(stage)}`,
  };
}

async function download({ visitor, server }: Stage, manners: Parameters<ModelServer["treat"]>[0]): Promise<void> {
  server.treat(() => ({}));
  await visitor.chip.click();
  await visitor.lookUp(server.url);
  await expect(visitor.entry(TITLE)).toContainText("to download");
  server.treat(manners);
  await visitor.entry(TITLE).getByRole("button", { name: "Download only" }).click();
}

/** The model is there whole; it is deleted again, and the page writes. */
async function writesOn({ visitor }: Stage): Promise<string> {
  const entry = visitor.entry(TITLE);
  await expect(entry).toContainText("stored on this device");
  await visitor.expectNothingWrongStored();
  await entry.getByRole("button", { name: "Delete…" }).click();
  await entry.getByRole("button", { name: /^Delete \d/ }).click();
  await expect(entry).toHaveCount(0);
  await visitor.page.keyboard.press("Escape");
  const written = await visitor.writes();
  visitor.expectNoFault();
  return written;
}

/** Keeps all that stands beneath the bar from here on, which may stand there for a moment only; returns what reads it. */
async function listen({ page }: Visitor): Promise<() => Promise<string[]>> {
  const said = await page.evaluateHandle(() => {
    const said: string[] = [];
    new MutationObserver(() => {
      const beneath = document.querySelector("[aria-label='Downloading the model']")?.parentElement;
      for (const part of beneath?.querySelectorAll("span, [role=status]") ?? []) said.push(part.textContent ?? "");
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
    return said;
  });
  return () => said.jsonValue();
}

export const downloads = scene<Stage>(
  "downloads",
  "page",
  async ({ page }) => ({ visitor: await Visitor.of(page), server: await ModelServer.of("tiny-conditional") }),
  {
    "a download that is cut": passed((turn) => (turn === 0 ? { cutAfter: 20_000 } : {})),
    "a download that stalls": passed((turn) => (turn === 0 ? { stallAfter: 20_000 } : {})),
    "a byte that was flipped on the way": passed((turn) => (turn === 0 ? { flipAt: 1000 } : {})),
    "a file with a flipped byte on its server": ended({ flipAt: 1000 }),
    "a length that lies": (stage) =>
      unnoticed(
        stage,
        weights(() => ({ lieBy: 100 })),
      ),
    "a file that ends too early": ended({ endAfter: 5000, ignoreRange: true }),
    "a file that is too long": ended({ extraBytes: 500 }),
    "a web page in place of the file, as networks send that one signs in to": ended({ html: true }),
    "a redirection to another host": ended({ redirectTo: "https://elsewhere.example/x" }),
    "a file that calls itself packed by gzip, and is not": ended({
      odd: { status: 200, headers: { "Content-Encoding": "gzip" }, body: Buffer.from("not packed".repeat(1000)) },
    }),
    "a server that is gone": ended({ reset: true }),
    "a server that is busy for an hour": ended({ status: 429, retryAfter: "3600" }),
  },
  ({ server }) => server.stop(),
);
