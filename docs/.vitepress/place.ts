/** Where the site and what it shows of the page will lie, by the address of the folder above it: the page, the element and the models. */
export interface Place {
  /** The path of the site, from the root of its host. */
  readonly base: string;
  /** The path of something in the folder above it. */
  above(path: string): string;
  /** The picture for links; its whole address where that is known, which some readers of links want. */
  readonly preview: string;
}

/** `site` may lack the slash that an address of a folder ends in; without one the folder is the root of its host. */
export function placeOf(site: string | undefined): Place {
  const folder = new URL(site ? site.replace(/\/*$/, "/") : "http://host/");
  const above = (path: string) => new URL(path, folder).pathname;
  return { base: above("docs/"), above, preview: site ? new URL("preview.png", folder).href : above("preview.png") };
}
