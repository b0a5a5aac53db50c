/** Every scene, in the order of the table. */
import { commands } from "./commands";
import { downloads } from "./downloads";
import { engine, gpu } from "./engine";
import type { Scene } from "./fault";
import { storage } from "./storage";
import { tabs } from "./tabs";

export const SCENES: readonly Scene[] = [downloads, ...storage, ...engine, gpu, ...tabs, commands];

/** The names of all faults, in the order of the table. */
export const FAULTS: readonly string[] = SCENES.flatMap(({ faults }) => faults);
