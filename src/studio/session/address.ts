import { DEFAULT_MODEL } from "../../delivery/shipped";
import type { Problem } from "../../flow/errors";
import type { Recipe } from "../../flow/recipe";
import { recipeIn } from "../../format/link";
import { unescaped } from "../../format/linkEscapes";
import type { Backend } from "../../run/api";

/** What the page's own address asks for: `?model=NAME&backend=webgpu&experiment=NAME#run=…`. */
export interface Address {
  readonly model: string;
  /** Whether the address names a model; otherwise the one of the last visit may take its place. */
  readonly namesModel: boolean;
  readonly backend: Backend | "auto";
  /** A run that its end tells of. */
  readonly recipe: Recipe | null;
  /** Name of the experiment that is to be made of that run; null for none. Whether there is such a one is not known here. */
  readonly experiment: string | null;
  /** A parameter that was not understood; the default stands in for it. */
  readonly problem: Problem | null;
}

/** What of it tells of a run; where it names no model, the run is one of whichever is in use. */
export type LinkedAddress = Pick<Address, "model" | "namesModel" | "recipe" | "experiment">;

const MODEL_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

export function readAddress(search: string, hash = "", pathname = ""): Address {
  const run = escapedRunIn(search) ?? escapedRunIn(pathname);
  const parameters = parametersOf(run?.isIn === search ? run.before : search);
  const model = parameters.get("model") ?? DEFAULT_MODEL;
  const backend = parameters.get("backend") ?? "auto";
  const inHash = recipeIn(hash);
  const recipe = inHash === null && run ? recipeIn(run.hash) : inHash;
  const goodModel = MODEL_NAME.test(model);
  const goodBackend = isBackend(backend);
  return {
    model: goodModel ? model : DEFAULT_MODEL,
    namesModel: goodModel && parameters.has("model"),
    backend: goodBackend ? backend : "auto",
    recipe: recipe ?? null,
    experiment: parameters.get("experiment"),
    problem: goodModel
      ? goodBackend
        ? recipe === undefined
          ? BROKEN_LINK
          : null
        : misunderstood("backend", backend, "Use ?backend=webgpu or ?backend=wasm; until then the page chooses.")
      : misunderstood("model", model, `Use the name of a folder in models/; until then it is ${DEFAULT_MODEL}.`),
  };
}

/** The end of an address that tells of a run, where its # was escaped and so stands in what a server sees. */
function escapedRunIn(part: string): { isIn: string; before: string; hash: string } | null {
  const found = /%(?:25)*23(?:[!/?]|%(?:25)*(?:2[1F]|3F))*run(?:=|%(?:25)*3D)/i.exec(part);
  if (!found) return null;
  return { isIn: part, before: part.slice(0, found.index), hash: part.slice(found.index).replace(/^%(?:25)*23/, "") };
}

/** What a query says: also one that was escaped as a whole or for HTML, and with the end of somebody's sentence behind it. */
function parametersOf(search: string): URLSearchParams {
  const isEscaped = /^\??\w+%(?:25)*3D/i.test(search);
  const plain = (isEscaped ? unescaped(unescaped(search)) : search).replaceAll("&amp;", "&").replaceAll("\\u0026", "&");
  const parameters = new URLSearchParams(plain.replaceAll("\\u003d", "="));
  for (const name of ["model", "backend", "experiment"]) {
    const value = parameters.get(name);
    if (value !== null) parameters.set(name, mendedName(value));
  }
  return parameters;
}

/** A name as mail programs may have left it: with the equals signs of their own format, with other dashes, with an end. */
function mendedName(value: string): string {
  const typed = value.replace(/[\u2010-\u2015\u2212]/g, "-").replace(/[^A-Za-z0-9_-]+$/, "");
  // The number of the equals sign; a model whose name begins so cannot be named by a link.
  return typed.replace(/^3D(?=[a-z])/, "").replaceAll("=", "");
}

/** This page's address with the backend that every browser has, and with the run that it tells of. */
export function addressWithWasm(search: string, hash = ""): string {
  const run = escapedRunIn(search);
  const parameters = new URLSearchParams(run ? run.before : search);
  parameters.set("backend", "wasm");
  // A query alone would have the browser leave out what stands behind it.
  return `?${parameters}${run && recipeIn(hash) === null ? `#${run.hash}` : hash}`;
}

/** This page's address without the name of a model, which would win over another that was chosen since. */
export function addressWithoutModel(href: string): string {
  const address = new URL(href);
  address.searchParams.delete("model");
  return address.href;
}

/** This page's address without the run that it tells of, and without what was to be made of that. */
export function addressWithoutRun(href: string): string {
  const address = new URL(escapedRunIn(href)?.before ?? href);
  address.searchParams.delete("experiment");
  if (recipeIn(address.hash) !== null) address.hash = "";
  return address.href;
}

const BROKEN_LINK: Problem = {
  code: "address",
  message: "The run that this link tells of cannot be read.",
  action: "Ask for the whole link once more; it may have been cut on its way.",
};

function isBackend(text: string): text is Backend | "auto" {
  return text === "webgpu" || text === "wasm" || text === "auto";
}

function misunderstood(parameter: string, value: string, action: string): Problem {
  return { code: "address", message: `This page's address asks for the ${parameter} “${value}”.`, action };
}
