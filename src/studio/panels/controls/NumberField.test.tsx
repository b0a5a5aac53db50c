import { expect, it } from "vitest";
import { drawn } from "../../testing/drawn";
import { testStudio } from "../../testing/studio";
import { GERMAN } from "../../words/german";
import { NumberField } from "./NumberField";

it("a slider says its number as the language writes it", async () => {
  const { studio } = testStudio();
  await studio.open();
  studio.settings.getState().enter("gamma", "2.5");
  const field = () =>
    drawn(studio, <NumberField name="gamma" label="γ" symbol="γ" explanation="" slider={{ to: 4, step: 0.1 }} />);
  expect(field()).toContain('aria-valuetext="2.5"');
  studio.words.setState(GERMAN, true);
  expect(field()).toContain('aria-valuetext="2,5"');
});
