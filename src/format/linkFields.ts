import { settingsSchema } from "./settingsSchema";

/** Everything that a link says of a run, by name. */
export const LINK_FIELDS: readonly string[] = [
  ...Object.keys(settingsSchema.shape),
  "from",
  "prompt",
  "ids",
  "towards",
  "weight",
  "back",
  "hold",
];
