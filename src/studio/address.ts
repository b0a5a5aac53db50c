import type { Backend } from "../engine/protocol";
import type { Recipe } from "../flow/recipe";
import { DEFAULT_MODEL } from "../model/shipped";
import { recipeIn } from "./link";
import type { Problem } from "./stores/problem";

/** What the page's own address asks for: `?model=NAME&backend=webgpu#run=…`. */
export interface Address {
  readonly model: string;
  /** Whether the address names a model; otherwise the one of the last visit may take its place. */
  readonly namesModel: boolean;
  readonly backend: Backend | "auto";
  /** A run that its end tells of. */
  readonly recipe: Recipe | null;
  /** A parameter that was not understood; the default stands in for it. */
  readonly problem: Problem | null;
}

const MODEL_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

export function readAddress(search: string, hash = ""): Address {
  const parameters = new URLSearchParams(search);
  const model = parameters.get("model") ?? DEFAULT_MODEL;
  const backend = parameters.get("backend") ?? "auto";
  const recipe = recipeIn(hash);
  const goodModel = MODEL_NAME.test(model);
  const goodBackend = isBackend(backend);
  return {
    model: goodModel ? model : DEFAULT_MODEL,
    namesModel: goodModel && parameters.has("model"),
    backend: goodBackend ? backend : "auto",
    recipe: recipe ?? null,
    problem: goodModel
      ? goodBackend
        ? recipe === undefined
          ? BROKEN_LINK
          : null
        : misunderstood("backend", backend, "Use ?backend=webgpu or ?backend=wasm; until then the page chooses.")
      : misunderstood("model", model, `Use the name of a folder in models/; until then it is ${DEFAULT_MODEL}.`),
  };
}

/** This page's address with the backend that every browser has. */
export function addressWithWasm(search: string): string {
  const parameters = new URLSearchParams(search);
  parameters.set("backend", "wasm");
  return `?${parameters}`;
}

/** This page's address without the name of a model, which would win over another that was chosen since. */
export function addressWithoutModel(href: string): string {
  const address = new URL(href);
  address.searchParams.delete("model");
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
