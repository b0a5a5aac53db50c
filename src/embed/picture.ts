/** Pictures of the run that an element shows. */
import { recipeOf } from "../flow/recipe";
import { linkTo } from "../format/link";
import { type MovingWish, type PictureKind, pictureFile } from "../player/export/picture";
import { themeOf } from "../player/theme/themeOf";
import { wordsOf } from "./configuration";

export type { PictureKind } from "../player/export/picture";

/**
 * How a picture is to be; what is left out is as the element is, and as large as previews of links are. Of a GIF, 880 × 420,
 * also how fast it goes, who hears how far it is, and what ends it.
 */
export interface PictureLook extends Pick<MovingWish, "width" | "height" | "theme" | "fps" | "onProgress" | "signal"> {
  /** Frame, counted from noise; the one shown unless given. Of a GIF the last one; the run's unless given. */
  readonly step?: number;
}

/** @throws As `pictureFile`. */
export function pictureOf(
  kind: PictureKind,
  { element, ...wish }: Omit<MovingWish, "recipe" | "words" | "measure"> & { readonly element: HTMLElement },
): Promise<Blob> {
  return pictureFile(kind, {
    theme: themeOf(element),
    ...wish,
    recipe: linkTo(recipeOf(wish.run.trajectory)).slice(1),
    words: wordsOf(element.closest<HTMLElement>("[lang]")?.lang ?? "").player,
  });
}
