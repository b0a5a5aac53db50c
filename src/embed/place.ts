import { SHIPPED_FOLDER } from "../delivery/shipped";
import { readSource } from "../delivery/sources";
import type { Options } from "./attributes";

/** Where an element's model lies. */
export interface Place {
  /** Folder that holds `manifest.json`, ending in `/`. */
  readonly baseUrl: string;
  /** Host that is asked, if it is another than the page's own; empty where nothing leaves. */
  readonly host: string;
}

/** The models that ship lie beside the folder of the script, unless its build says otherwise. A chunk lies where it does. */
const SCRIPT = import.meta.url;

/**
 * Finds a model by its name, its hub id, or the address of its folder, which may be relative to the page. Asks nobody.
 * @throws {SourceError} it is none of these.
 */
export function placeOf({ model, src }: Pick<Options, "model" | "src">, page: string): Place {
  const name = model.trim();
  if (/^[\w-][\w.-]*$/.test(name)) return at(new URL(`${name}/`, folderOf(src, page)), page);
  if (/^\.{0,2}\//.test(name)) return at(new URL(name.replace(/\/?$/, "/"), page), page);
  const { baseUrl, host } = readSource(name, page);
  return { baseUrl, host: host ?? "" };
}

function folderOf(src: string, page: string): URL {
  return src ? new URL(src.replace(/\/?$/, "/"), page) : new URL(SHIPPED_FOLDER, new URL("../", SCRIPT));
}

function at({ href, origin, host }: URL, page: string): Place {
  return { baseUrl: href, host: origin === new URL(page).origin ? "" : host };
}
