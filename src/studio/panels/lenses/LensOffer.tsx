import type { LensId } from "../../../player/lenses/words";
import { JudgeOffer } from "../judge/JudgeOffer";
import { PathsOffer } from "./PathsOffer";

/** How what a lens shows of a model's run can be had, where the run on the stage has it not. */
export function LensOffer({ lens, model }: { lens: LensId; model: string }) {
  return lens === "quality" ? <JudgeOffer model={model} /> : <PathsOffer />;
}
