import type { Action } from "./action";
import { adoptRun } from "./adoptRun";
import { cancel } from "./cancel";
import { copyLink } from "./copyLink";
import { faster } from "./faster";
import { fork } from "./fork";
import { generate } from "./generate";
import { holdToken } from "./holdToken";
import { letAllGo } from "./letAllGo";
import { lockSeed } from "./lockSeed";
import { newerRun } from "./newerRun";
import { newSeed } from "./newSeed";
import { olderRun } from "./olderRun";
import { playPause } from "./playPause";
import { showModels } from "./showModels";
import { showParent } from "./showParent";
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
  fork,
  holdToken,
  letAllGo,
  adoptRun,
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
  showParent,
  copyLink,
  showShortcuts,
];
