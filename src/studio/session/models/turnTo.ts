import type { StoreApi } from "zustand/vanilla";
import type { Dtype } from "../../../format/manifest";
import type { GenerationStore } from "../writing/generation";
import type { SettingsStore } from "../writing/settings";
import type { LibraryStore, ShelfModel } from "./library";
import type { ModelStore } from "./model";

/** What a model is chosen in. */
interface Chosen {
  readonly model: StoreApi<ModelStore>;
  readonly settings: StoreApi<SettingsStore>;
}

/** What it is loaded by, too. */
interface Loading extends Chosen {
  readonly generation: StoreApi<GenerationStore>;
  readonly library: StoreApi<LibraryStore>;
}

/** Makes a model of the shelf the one that Generate writes with; it is loaded when it is needed. */
export function turnTo(
  { model, settings }: Chosen,
  { source, manifest, files }: ShelfModel,
  dtype: Dtype | null,
): void {
  if (!manifest) return;
  model.getState().choose({ baseUrl: source.baseUrl, dtype, kind: source.kind, label: source.label, files }, manifest);
  settings.getState().turnTo(manifest.name, manifest.defaults, manifest.architecture.maxLength);
}

/** Turns to a model and loads it at once. */
export async function loadFromShelf(studio: Loading, model: ShelfModel, dtype: Dtype): Promise<void> {
  turnTo(studio, model, dtype);
  await studio.generation.getState().prepare();
  await studio.library.getState().refresh();
}
