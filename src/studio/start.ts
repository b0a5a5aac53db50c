import { fetchManifest } from "../delivery/fetchManifest";
import { offered } from "../delivery/offered";
import { watchPolicy } from "../delivery/policy";
import { fetchShippedNames } from "../delivery/shipped";
import { shippedSource } from "../delivery/sources";
import { persist } from "../delivery/store/space";
import { createPlayer } from "../player/createPlayer";
import { findMachine } from "../runtime/machine";
import { createEngine } from "../worker/client";
import { createJudge } from "../worker/judge";
import { createLibrary } from "../worker/library";
import { listenToKeyboard } from "./actions/keyboard";
import { readAddress } from "./session/address";
import { copyText, followTurns, shareAddress } from "./session/addressBar";
import { browserArchive } from "./session/kept/archive";
import { browserStorage } from "./session/kept/persisted";
import { applyLanguage } from "./session/language";
import { fetchRecording } from "./session/recording";
import { scriptChecksum } from "./session/runs/scriptChecksum";
import { createStudio, type Studio } from "./session/studio";
import { applyTheme } from "./session/theme";

/** Puts the studio into this browser and opens it. */
export function startStudio(): Studio {
  watchPolicy();
  const address = readAddress(location.search, location.hash, location.pathname);
  const studio = createStudio({
    address,
    player: createPlayer({
      visibility: document,
      motion: matchMedia("(prefers-reduced-motion: reduce)"),
      // What the models that ship write, whatever language the page speaks.
      textLanguage: "en",
    }),
    engine: createEngine(),
    library: createLibrary(),
    createJudge: () => createJudge(),
    offline: {
      // While it is developed the page changes with every save.
      container: import.meta.env.PROD ? (offered(() => navigator.serviceWorker) ?? null) : null,
      caches: offered(() => globalThis.caches) ?? null,
      reload: () => location.reload(),
    },
    pageUrl: document.baseURI,
    fetchShippedNames: () => fetchShippedNames(document.baseURI),
    findMachine: () => findMachine(address.backend),
    persist,
    storage: browserStorage(),
    languages: navigator.languages,
    archive: browserArchive(),
    tabs: offered(() => new BroadcastChannel("elf-playground runs")) ?? null,
    fetchRecording: (model) => fetchRecording(model),
    fetchManifest: (model) => fetchManifest(shippedSource(model, document.baseURI).baseUrl),
    now: Date.now,
    share: async (hash, model, experiment = null) => {
      const shared = new URL(location.href);
      if (model !== null) shared.searchParams.set("model", model);
      if (experiment === null) shared.searchParams.delete("experiment");
      else shared.searchParams.set("experiment", experiment);
      shared.hash = hash;
      await shareAddress(shared.href);
    },
    copyEmbed: async (run, model) => {
      const isShipped = run.origin === "recorded" && model !== null;
      const trace = isShipped ? new URL(`traces/${model}.json`, document.baseURI).href : null;
      const integrity = await scriptChecksum(document.baseURI);
      // Comes when it is wanted.
      const { snippetsOf } = await import("./session/runs/snippets");
      await copyText(snippetsOf(run, { page: location.href, model, trace, integrity }));
    },
    // Not randomUUID: browsers leave it out on plain http.
    newId: () => `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}`,
  });

  followTurns(studio);
  applyTheme(studio.preferences);
  applyLanguage(studio.words);
  listenToKeyboard(studio);
  void studio.open();
  // A link pasted over this page's own address does not load the page anew.
  addEventListener("hashchange", () => {
    const linked = readAddress(location.search, location.hash);
    if (linked.problem) studio.generation.getState().raise(linked.problem);
    studio.openLinked(linked);
  });
  return studio;
}
