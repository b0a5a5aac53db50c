import { expect, type Locator, type Page, test } from "@playwright/test";
import { violations } from "./axe";
import { buildPlayers, servePlayers } from "./players/build";
import { slow } from "./slow";

/** One of the two players on the page. */
class PlayerOnPage {
  readonly tokens: Locator;
  readonly readout: Locator;
  readonly time: Locator;
  readonly card: Locator;
  readonly track: Locator;

  constructor(
    readonly page: Page,
    readonly root: Locator,
  ) {
    this.tokens = root.getByRole("option");
    this.readout = root.getByTestId("readout");
    this.time = root.getByRole("slider", { name: /^Time t/ });
    this.card = root.getByRole("dialog");
    this.track = root.getByRole("slider").locator("..");
  }

  button(name: string): Locator {
    return this.root.getByRole("button", { name, exact: true });
  }

  radio(name: string): Locator {
    return this.root.getByRole("radio", { name, exact: true });
  }

  async expectStep(step: number): Promise<void> {
    await expect(this.readout).toContainText(`step ${step} of`);
  }
}

for (const views of ["react", "preact"] as const) {
  const lane = views === "preact" ? slow("all of it again") : {};
  test.describe(`two players on a page that is not the studio, by ${views}`, lane, () => {
    let server: Awaited<ReturnType<typeof servePlayers>>;
    let light: PlayerOnPage;
    let shadow: PlayerOnPage;
    const faults: string[] = [];

    test.beforeAll(async () => {
      const outDir = test.info().outputPath("players");
      await buildPlayers(views, outDir);
      server = await servePlayers(outDir);
    });
    test.afterAll(() => server.close());

    test.beforeEach(async ({ page }) => {
      faults.length = 0;
      page.on("pageerror", ({ message }) => faults.push(message));
      page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
      await page.goto(server.url);
      light = new PlayerOnPage(page, page.getByTestId("light"));
      shadow = new PlayerOnPage(page, page.getByTestId("shadow"));
      await light.expectStep(32);
      await expect(shadow.readout).toContainText("t = 1.00");
    });
    test.afterEach(() => expect(faults).toEqual([]));

    test("show their runs, each laid out by its own width, and nothing that only the studio can do", async ({
      page,
    }) => {
      await expect(light.root.getByTestId("given")).toContainText("Lily and her mom");
      await expect(shadow.root.getByTestId("given")).not.toBeEmpty();
      expect(await light.tokens.count()).toBeGreaterThan(20);
      expect(await shadow.root.evaluate((host) => host.shadowRoot?.querySelector("[part=stage]") !== null)).toBe(true);
      // Beside the buttons in 760 px, above them in 420.
      const isAbove = async ({ track, root }: PlayerOnPage) => {
        const [rail, button] = await Promise.all([track.boundingBox(), root.getByLabel("Step back").boundingBox()]);
        return (rail?.y ?? 0) + 20 < (button?.y ?? 0);
      };
      expect(await isAbove(light)).toBe(false);
      expect(await isAbove(shadow)).toBe(true);
      // The page's taste ends at the shadow root.
      const caseOf = (button: Locator) => button.evaluate((element) => getComputedStyle(element).textTransform);
      expect(await caseOf(light.radio("What it holds"))).toBe("uppercase");
      expect(await caseOf(shadow.radio("What it holds"))).toBe("none");

      await light.tokens.nth(3).click();
      await expect(light.card).toContainText("nats");
      await expect(page.getByRole("button", { name: /hold|go on/i })).toHaveCount(0);
      expect(await page.locator("[id]").count(), "ids, which another player would have, too").toBe(0);
    });

    test("have their colours, in the scheme of the element that they stand in", async ({ page }) => {
      const ground = (player: PlayerOnPage) =>
        player.button("Play").evaluate((play) => getComputedStyle(play).backgroundColor);
      const violet = { light: "rgb(87, 59, 207)", dark: "rgb(169, 150, 255)" };
      for (const player of [light, shadow]) expect(await ground(player)).toBe(violet.light);
      await shadow.root.evaluate((host) => {
        (host as HTMLElement).style.colorScheme = "dark";
      });
      await expect.poll(() => ground(shadow)).toBe(violet.dark);
      await expect.poll(() => ground(light)).toBe(violet.light);
      await page.emulateMedia({ colorScheme: "dark" });
      await expect.poll(() => ground(light)).toBe(violet.dark);
    });

    test("go by keyboard, each for itself", async ({ page }) => {
      await light.time.press("Home");
      await light.time.press("ArrowRight");
      await light.expectStep(1);
      await expect(shadow.readout).toContainText("t = 1.00");

      await shadow.button("Play").focus();
      for (const key of ["Home", "ArrowRight", "ArrowRight", "r"]) await page.keyboard.press(key);
      await shadow.expectStep(2);
      await expect(shadow.radio("What it expects")).toBeChecked();
      await light.expectStep(1);
      await expect(light.radio("What it holds")).toBeChecked();

      // Arrows look at the choices, Space chooses.
      await shadow.radio("What it expects").focus();
      await page.keyboard.press("ArrowLeft");
      await expect(shadow.radio("What it holds")).toBeFocused();
      await expect(shadow.radio("What it expects")).toBeChecked();
      await page.keyboard.press("Space");
      await expect(shadow.radio("What it holds")).toBeChecked();

      // From token to token, and a card that Escape closes.
      for (const player of [light, shadow]) {
        await player.tokens.first().focus();
        await page.keyboard.press("ArrowRight");
        await expect(player.tokens.nth(1)).toBeFocused();
        await page.keyboard.press("Enter");
        await expect(player.card).toHaveAttribute("data-pinned", "true");
        await page.keyboard.press("Escape");
        await expect(player.card.and(page.locator("[data-pinned=true]"))).toHaveCount(0);
        await expect(player.tokens.nth(1)).toBeFocused();
      }
      await shadow.expectStep(2);
      await light.expectStep(1);

      // The page's own keys stay the page's.
      await page.evaluate(() => (document.activeElement as HTMLElement).blur());
      await page.keyboard.press("ArrowRight");
      await light.expectStep(1);
      await shadow.expectStep(2);
    });

    test("go by pointer, each for itself, and a card stays while its own time goes on", async ({ page }) => {
      for (const [player, other] of [
        [light, shadow],
        [shadow, light],
      ] as const) {
        const before = await other.readout.textContent();
        const { width } = (await player.track.boundingBox()) ?? { width: 0 };
        await player.track.click({ position: { x: width / 2, y: 2 } });
        await expect(player.readout).not.toContainText("t = 1.00");
        await expect(other.readout).toHaveText(before ?? "");

        await player.tokens.nth(2).hover();
        await expect(player.card).toHaveAttribute("data-pinned", "false");
        await player.tokens.nth(2).click();
        await expect(player.card).toHaveAttribute("data-pinned", "true");
        await expect(other.card).toHaveCount(0);
        const [card, token] = await Promise.all([player.card.boundingBox(), player.tokens.nth(2).boundingBox()]);
        expect(card?.y).toBeGreaterThan(token?.y ?? 0);
        expect(card?.x).toBeGreaterThanOrEqual(12);

        await player.button("Step back").click();
        await expect(player.card).toHaveAttribute("data-pinned", "true");
        // The other player is not this card's ground.
        await other.button("Step back").click();
        await expect(player.card).toHaveCount(0);
      }
      await page.mouse.move(2, 2);
      await light.radio("4×").click();
      await expect(shadow.radio("1×")).toBeChecked();
    });

    test("play to their ends, one while the other rests", async ({ page }) => {
      await light.radio("4×").click();
      await shadow.time.press("Home");
      await light.button("Play").click();
      await expect(light.readout).not.toContainText("t = 1.00");
      await expect(light.readout).toContainText("t = 1.00");
      await shadow.expectStep(0);
      await shadow.button("Play").click();
      await shadow.button("Pause").click();
      await expect(shadow.button("Play")).toBeVisible();
      await shadow.button("Play").click();
      await expect(shadow.readout).toContainText("t = 1.00");
      await expect(shadow.root.getByTestId("announcer")).toContainText("Finished: ");

      await page.emulateMedia({ reducedMotion: "reduce" });
      for (const player of [light, shadow])
        await expect(player.root.getByText("Plays start, middle and end")).toBeVisible();
    });

    test("stand in nobody's way", async ({ page }) => {
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
        await shadow.tokens.nth(1).click();
        expect(await violations(page)).toEqual([]);
        await page.keyboard.press("Escape");
      }
    });
  });
}
