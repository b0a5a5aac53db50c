import { recipeOf } from "../../../flow/recipe";
import { linkTo } from "../../../format/link";
import { writeTrace } from "../../../format/trace";
import { isComplete } from "../../../player/run/run";
import type { Run } from "./shelfRun";

/** Bytes of the longest trace that stands in a page's own text; a longer one has an address, or is written again. */
const MOST_INLINE = 20_000;

/** CSS pixels. */
const HEIGHT = 420;

/** Where the pieces of a snippet lie. */
export interface EmbedPlaces {
  /** Address of the page that the run is shown on; `embed/` lies beside it. */
  readonly page: string;
  /** The model's name where it ships with the page, and everybody can have it; null otherwise. */
  readonly model: string | null;
  /** Checksum of the element's script, where its build has left one. */
  readonly integrity: string | null;
  /** Address of the run's recording, where it has one. */
  readonly trace: string | null;
}

/** The run as three pieces of text to be put into other pages: an element, a frame, and Markdown that allows no HTML. */
export function snippetsOf(run: Run, places: EmbedPlaces): string {
  return [
    `<!-- The element, for pages of your own -->\n${elementFor(run, places)}`,
    `<!-- The same in a frame, where scripts of others are not let in -->\n${frameFor(run, places)}`,
    `<!-- The same as Markdown, where HTML is not let in -->\n${markdownFor(run, places)}`,
  ].join("\n\n");
}

function elementFor(run: Run, { page, model, trace, integrity }: EmbedPlaces): string {
  const address = new URL("embed/elf-playground.js", page).href;
  const inline = trace === null ? traceOf(run, model === null) : null;
  const attributes = [
    ...(trace === null ? [] : [`trace="${escaped(trace)}"`]),
    ...(model === null ? [] : [`model="${escaped(model)}"`]),
    `recipe="${escaped(linkTo(recipeOf(run.trajectory)).slice(1))}"`,
    `height="${HEIGHT}"`,
  ];
  return [
    ...(integrity === null
      ? []
      : [
          "<!-- With these two attributes the browser runs the script as it is now, and no later one of this host:",
          `     integrity="${escaped(integrity)}" crossorigin="anonymous" -->`,
        ]),
    `<script type="module" src="${escaped(address)}"></script>`,
    `<elf-playground ${attributes.join(" ")}>`,
    escaped(run.text),
    // In a script only this ends the text of the trace.
    ...(inline === null ? [] : [`<script type="application/json">${inline.replaceAll("<", "\\u003c")}</script>`]),
    "</elf-playground>",
  ].join("\n");
}

function frameFor(run: Run, { page, model, trace }: EmbedPlaces): string {
  const address = new URL("embed/embed.html", page);
  if (trace !== null) address.searchParams.set("trace", trace);
  if (model !== null) address.searchParams.set("model", model);
  address.hash = linkTo(recipeOf(run.trajectory));
  return `<iframe title="${escaped(run.modelTitle)}" loading="lazy" width="100%" height="${HEIGHT}" style="border: 0" sandbox="allow-scripts allow-same-origin" src="${escaped(address.href)}"></iframe>`;
}

function markdownFor(run: Run, { page, model }: EmbedPlaces): string {
  const address = new URL(page);
  // The run alone, whatever the page was opened for.
  address.searchParams.delete("experiment");
  if (model !== null) address.searchParams.set("model", model);
  address.hash = linkTo(recipeOf(run.trajectory));
  const plain = run.text.replace(/\s+/g, " ").replace(/[\\`*_[\]#|~!]/g, "\\$&");
  return `> ${escaped(plain)}\n>\n> [See how this was written](${address.href.replace(/[()]/g, (sign) => (sign === "(" ? "%28" : "%29"))})`;
}

/**
 * The run as it was written, where it is whole, and short enough to stand in a page. Where it is all that there is of it, it
 * may be longer, and not all of its steps need have been read.
 */
function traceOf(run: Run, isAll: boolean): string | null {
  if (!isComplete(run) && !(isAll && run.status === "done")) return null;
  const trace = writeTrace(run, { title: run.modelTitle, tokens: { eos: run.eos } });
  return new Blob([trace]).size > MOST_INLINE && !isAll ? null : trace.trim().replaceAll("\n", "");
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
