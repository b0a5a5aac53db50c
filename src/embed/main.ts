/** The script of `<elf-playground>`. A page may have it twice, in one version or two: the first one counts. */
import { ElfPlayground } from "./element";

export { type Configuration, configure } from "./configuration";
export type { ElfEventName, ElfEvents } from "./events";
export type { ForkWish, Outcome, Wish } from "./writer";
export { ElfPlayground };

const NAME = "elf-playground";

if (typeof customElements !== "undefined" && !customElements.get(NAME)) customElements.define(NAME, ElfPlayground);
