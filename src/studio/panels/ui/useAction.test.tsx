import { describe, expect, it } from "vitest";
import { ACTIONS } from "../../actions/all";
import { copyLink } from "../../actions/view";
import { generate, writeLinked } from "../../actions/writing";
import type { Studio } from "../../session/studio";
import { drawn } from "../../testing/drawn";
import { runOf, SETTINGS } from "../../testing/runs";
import { testStudio } from "../../testing/studio";
import { ActionButton } from "./ActionButton";
import { useAction } from "./useAction";

async function openStudio(): Promise<Studio> {
  const { studio } = testStudio();
  await studio.open();
  return studio;
}

function Write() {
  return <button {...useAction(writeLinked)}>Write it</button>;
}

describe("a button of an action", () => {
  const draw = (studio: Studio, action = copyLink) =>
    drawn(
      studio,
      <ActionButton action={action} label="x">
        x
      </ActionButton>,
    );

  it("is live where the action can be done, and only there", async () => {
    const studio = await openStudio();
    expect(draw(studio)).toContain('aria-disabled="false"');
    const { trajectory } = runOf(["▁the", "▁cat"]);
    const foreign = runOf(["▁the"], { id: "foreign", trajectory: { ...trajectory, model: "another" } });
    studio.runs.getState().add(foreign, true);
    expect(draw(studio)).toContain('aria-disabled="true"');
  });

  it("asks the action, whichever it is", async () => {
    const studio = await openStudio();
    studio.settings.getState().enter("steps", "0");
    for (const action of ACTIONS) {
      expect(draw(studio, action)).toContain(`aria-disabled="${!action.enabled(studio)}"`);
    }
    expect(draw(studio, generate)).toContain('aria-disabled="true"');
    expect(draw(studio, generate)).toContain('aria-keyshortcuts="G Control+Enter"');
  });

  it("has no shortcut where the deed has none", async () => {
    const studio = await openStudio();
    studio.view.getState().offer({ model: "test", recipe: { settings: SETTINGS } });
    const button = drawn(studio, <Write />);
    expect(button).toBe('<button type="button" aria-disabled="false">Write it</button>');
  });
});

describe("the studio is watched", () => {
  it("as a whole, its player too, until that ends", async () => {
    const studio = await openStudio();
    let heard = 0;
    const end = studio.watch(() => heard++);
    for (const change of [
      () => studio.draft.getState().setPrompt("a"),
      () => studio.player.playback.getState().seek(2),
      () => studio.view.getState().say("x"),
      () => studio.player.inspection.getState().glance(1),
    ]) {
      const before = heard;
      change();
      expect(heard).toBeGreaterThan(before);
    }
    end();
    const before = heard;
    studio.view.getState().say("y");
    expect(heard).toBe(before);
  });
});
