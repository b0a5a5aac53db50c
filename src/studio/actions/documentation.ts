import type { Action } from "./action";

declare const __DOCUMENTATION__: string | undefined;

/** Address of the documentation, from the page on; empty where none was built with it (`npm run build -- --docs`). */
export const DOCUMENTATION: string = typeof __DOCUMENTATION__ === "undefined" ? "" : __DOCUMENTATION__;

/** Address of a page of the documentation, by its path from the first one's folder on. */
export const documentationPage = (path: string): string => DOCUMENTATION.replace(/[^/]*$/, path);

/** In a tab of its own: the page goes on writing. */
export const openDocumentation = {
  id: "open-documentation",
  group: "View",
  shortcuts: [{ key: "d" }],
  enabled: () => DOCUMENTATION !== "",
  run: () => void open(DOCUMENTATION, "_blank", "noopener"),
} satisfies Action;
