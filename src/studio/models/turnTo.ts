import type { Dtype } from "../../model/manifest";
import type { ShelfModel } from "../stores/library";
import type { Studio } from "../studio";

/** Makes a model of the shelf the one that Generate writes with; it is loaded when it is needed. */
export function turnTo(
  { model, settings }: Pick<Studio, "model" | "settings">,
  { source, manifest, files }: ShelfModel,
  dtype: Dtype | null,
): void {
  if (!manifest) return;
  model.getState().choose({ baseUrl: source.baseUrl, dtype, label: source.label, files }, manifest);
  settings.getState().turnTo(manifest.name, manifest.defaults, manifest.architecture.maxLength);
}

/** Turns to a model and loads it at once. */
export async function loadFromShelf(studio: Studio, model: ShelfModel, dtype: Dtype): Promise<void> {
  turnTo(studio, model, dtype);
  await studio.generation.getState().prepare();
  await studio.library.getState().refresh();
}
