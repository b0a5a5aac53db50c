import type { LensId } from "../../../player/lenses/words";
import { JudgeOffer } from "../judge/JudgeOffer";
import { PathsOffer } from "./PathsOffer";

/** How what a lens shows can be had, where the run on the stage has it not. */
export function LensOffer({ lens }: { lens: LensId }) {
  return lens === "quality" ? <JudgeOffer /> : <PathsOffer />;
}
