/** The folder under `models/` that runs where none is named. */
export const DEFAULT_MODEL = "stories-mini";
