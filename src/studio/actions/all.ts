import type { Action } from "./action";
import { EXPERIMENT_ACTIONS } from "./experiments";
import { TIME } from "./time";
import { takeTour } from "./tour";
import { VIEW } from "./view";
import { WRITING } from "./writing";

/** Every action, in the order of the list of shortcuts. */
export const ACTIONS: readonly Action[] = [...WRITING, ...TIME, ...VIEW, ...EXPERIMENT_ACTIONS, takeTour];
