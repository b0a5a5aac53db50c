import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { recipeOf } from "../../../flow/recipe";
import { recipeIn } from "../../../format/link";
import { readTrace } from "../../../format/trace";
import { scriptChecksum } from "./scriptChecksum";
import { type Run, runFromRecording } from "./shelfRun";
import { snippetsOf } from "./snippets";

function recorded(name: string): Run {
  return runFromRecording(readTrace(readFileSync(`public/traces/${name}.json`, "utf8")));
}

const short = recorded("translate-de-en");
const long = recorded("stories");
const places = {
  page: "https://a.example/elf/index.html?model=x#run=y",
  model: "stories",
  trace: null,
  integrity: null,
};

/** What is given of an attribute, as a browser would read it. */
const attribute = (snippets: string, name: string) =>
  new RegExp(` ${name}="([^"]*)"`).exec(snippets)?.[1]?.replaceAll("&amp;", "&") ?? "";

describe("Copy as embed (point 18)", () => {
  it("gives an element with a short run inside, its script beside the page, and its recipe", () => {
    const snippets = snippetsOf(short, places);
    expect(snippets).toContain('src="https://a.example/elf/embed/elf-playground.js"');
    const [, inline = ""] = /<script type="application\/json">(.*)<\/script>/.exec(snippets) ?? [];
    expect(readTrace(inline).trajectory.frames).toEqual(short.trajectory.frames);
    expect(inline).not.toContain("<");
    expect(recipeIn(`#${attribute(snippets, "recipe")}`)).toEqual(recipeOf(short.trajectory));
    expect(attribute(snippets, "model")).toBe("stories");
  });

  it("names the script's checksum where it is known (point 21)", async () => {
    const integrity = "sha384-AbC+/==";
    expect(snippetsOf(short, { ...places, integrity })).toContain(`integrity="${integrity}" crossorigin="anonymous"`);
    expect(snippetsOf(short, places)).not.toContain("integrity");
    const asked: string[] = [];
    const answer = (body: string) => async (address: unknown) => {
      asked.push(String(address));
      return new Response(body);
    };
    const known = (body: string) => scriptChecksum("https://a.example/elf/?model=x", answer(body));
    expect(await known(`{"elf-playground.js":"${integrity}"}`)).toBe(integrity);
    expect(asked).toEqual(["https://a.example/elf/embed/integrity.json"]);
    expect(await known("<!doctype html>")).toBeNull();
    expect(await known('{"elf-playground.js":"\\"><script>"}')).toBeNull();
  });

  it("gives a long one by its address, or to be written again", () => {
    expect(snippetsOf(long, places)).not.toContain("application/json");
    // Where nobody has the model, the run itself is all there is.
    expect(snippetsOf(long, { ...places, model: null })).toContain("application/json");
    const snippets = snippetsOf(long, { ...places, trace: "https://a.example/elf/traces/stories.json" });
    expect(attribute(snippets, "trace")).toBe("https://a.example/elf/traces/stories.json");
    const [, frame = ""] = /<iframe.* src="([^"]*)"/.exec(snippets) ?? [];
    const address = new URL(frame.replaceAll("&amp;", "&"));
    expect(address.pathname).toBe("/elf/embed/embed.html");
    expect(address.searchParams.get("trace")).toBe("https://a.example/elf/traces/stories.json");
    expect(recipeIn(address.hash)).toEqual(recipeOf(long.trajectory));
  });

  it("gives a run of which not all is read to be written again, and with its steps so far where nobody else can", () => {
    const { frames } = short.trajectory;
    const [first, second] = frames;
    if (!first || !second) throw new Error("The recording is too short.");
    const read = [first, first, ...frames.slice(2)];
    const run = { ...short, trajectory: { ...short.trajectory, frames: read } };
    expect(snippetsOf(run, places)).not.toContain("application/json");
    const [, inline = ""] =
      /<script type="application\/json">(.*)<\/script>/.exec(snippetsOf(run, { ...places, model: null })) ?? [];
    const shown = readTrace(inline);
    expect(shown.trajectory.frames.map(({ step }) => step)).toEqual(read.map(({ step }) => step));
    expect(runFromRecording(shown).status).toBe("done");
  });

  it("gives Markdown with the text and a link, and lets no text be HTML or marks", () => {
    const hostile: Run = { ...short, text: 'a <img src=x onerror="b"> [c](d) *e*', modelTitle: '"><script>' };
    const snippets = snippetsOf(hostile, { ...places, model: null });
    expect(snippets).not.toContain("<img");
    expect(snippets.replaceAll('\\"', "")).not.toContain('"><script>');
    expect(snippets).toContain("\\[c\\](d) \\*e\\*");
    expect(snippets).toMatch(
      /\[See how this was written\]\(https:\/\/a\.example\/elf\/index\.html\?model=x#run=[^()\s]*\)/,
    );
  });

  it("links from Markdown to the run, and to no experiment that the page was opened for", () => {
    const page = "https://a.example/elf/?experiment=guidance&backend=wasm#run=y";
    expect(snippetsOf(short, { ...places, page })).toContain("(https://a.example/elf/?backend=wasm&model=stories#run=");
  });
});
