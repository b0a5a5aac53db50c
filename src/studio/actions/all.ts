import type { Action } from "./action";
import { TIME } from "./time";
import { VIEW } from "./view";
import { WRITING } from "./writing";

/** Every action, in the order of the list of shortcuts. */
export const ACTIONS: readonly Action[] = [...WRITING, ...TIME, ...VIEW];
