/** Pictures of the run that an element shows. */
import { recipeOf } from "../flow/recipe";
import { linkTo } from "../format/link";
import { type PictureKind, type PictureWish, pictureFile } from "../player/export/picture";
import { themeOf } from "../player/theme/themeOf";
import { wordsOf } from "./configuration";

export type { PictureKind } from "../player/export/picture";

/** How a picture is to be; what is left out is as the element is, and as large as previews of links are. */
export interface PictureLook extends Pick<PictureWish, "width" | "height" | "theme"> {
  /** Frame, counted from noise; the one shown unless given. */
  readonly step?: number;
}

/** @throws {PictureError} its size or frame is none, there is no such kind, or the browser cannot draw. */
export function pictureOf(
  kind: PictureKind,
  { element, ...wish }: Omit<PictureWish, "recipe" | "words" | "measure"> & { readonly element: HTMLElement },
): Promise<Blob> {
  return pictureFile(kind, {
    theme: themeOf(element),
    ...wish,
    recipe: linkTo(recipeOf(wish.run.trajectory)).slice(1),
    words: wordsOf(element.closest<HTMLElement>("[lang]")?.lang ?? "").player,
  });
}
