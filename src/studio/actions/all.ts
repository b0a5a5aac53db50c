import type { Action } from "./action";
import { cancel } from "./cancel";
import { faster } from "./faster";
import { generate } from "./generate";
import { lockSeed } from "./lockSeed";
import { newerRun } from "./newerRun";
import { newSeed } from "./newSeed";
import { olderRun } from "./olderRun";
import { playPause } from "./playPause";
import { showModels } from "./showModels";
import { showShortcuts } from "./showShortcuts";
import { slower } from "./slower";
import { stepBack } from "./stepBack";
import { stepForward } from "./stepForward";
import { switchAxis } from "./switchAxis";
import { switchReading } from "./switchReading";
import { switchTheme } from "./switchTheme";
import { toEnd } from "./toEnd";
import { toStart } from "./toStart";

/** Every action, in the order of the list of shortcuts. */
export const ACTIONS: readonly Action[] = [
  generate,
  cancel,
  newSeed,
  lockSeed,
  playPause,
  stepBack,
  stepForward,
  toStart,
  toEnd,
  slower,
  faster,
  switchReading,
  switchAxis,
  switchTheme,
  newerRun,
  olderRun,
  showModels,
  showShortcuts,
];
