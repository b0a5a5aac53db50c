declare const __BASE_MODELS__: string | undefined;

/**
 * The folder of the models that ship: beside the page, unless its build was told of another address (`npm run build --
 * --base-models ADDRESS`), as where a host takes no files of their size.
 */
export const SHIPPED_FOLDER: string = (typeof __BASE_MODELS__ === "undefined" ? "" : __BASE_MODELS__) || "models/";

/** The folders under `models/` of the next-word models that ship: one that goes on from stories, and one that translates. */
export const SHIPPED_JUDGES = ["stories-judge", "translate-yardstick"] as const;
export type ShippedJudge = (typeof SHIPPED_JUDGES)[number];

/** Which of them stands beside a model of this name: beside whatever translates German into English the one that does so too. */
export function judgeBeside(model: string): ShippedJudge {
  return /(^|[^a-z])de-en($|[^a-z])/i.test(model) ? "translate-yardstick" : "stories-judge";
}

/** The folder under `models/` that runs where none is named. */
export const DEFAULT_MODEL = "stories";

/**
 * The names of the models that lie beside the page, or elsewhere, in the file `models/index.json` that its build writes. Where a server
 * lacks that file, it is the default alone.
 */
export async function fetchShippedNames(pageUrl: string, fetchFile: typeof fetch = fetch): Promise<readonly string[]> {
  try {
    const names: unknown = await (await fetchFile(new URL("models/index.json", pageUrl))).json();
    if (!Array.isArray(names)) return [DEFAULT_MODEL];
    return names
      .filter((name): name is string => typeof name === "string" && /^[A-Za-z0-9][\w.-]*$/.test(name))
      .slice(0, 100);
  } catch {
    return [DEFAULT_MODEL];
  }
}
