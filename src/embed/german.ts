import { GERMAN_LENSES, GERMAN as PLAYER_GERMAN } from "../player/german";
import { megabytes, type Words } from "./words";

const mega = megabytes("de");

export const GERMAN: Words = {
  label: (title) => (title ? `Ein Text entsteht aus Rauschen: ${title}` : "Ein Text entsteht aus Rauschen"),
  loadingTrace: "Die Aufzeichnung wird geladen.",
  show: "Zeigen, wie dieser Text aus Rauschen entsteht",
  empty: "Noch ist nichts geschrieben.",
  generate: "Erzeugen",
  stop: "Anhalten",
  retry: "Noch einmal",
  dismiss: "Schließen",
  prompt: "Prompt",
  waiting: (ahead) => `Wartet, ${ahead} davor`,
  asking: "Fragt nach dem Modell",
  loading: "Lädt das Modell",
  downloading: (done, total) => `${mega(done)} von ${mega(total)} MB`,
  preparing: "Bereitet das Modell vor",
  writing: "Schreibt",
  loads: (host) => (host ? `Lädt zuerst das Modell von ${host}.` : "Lädt zuerst das Modell."),
  loadsAgain: "Dieser Rahmen ist von anderen Seiten getrennt, deshalb wird hier noch einmal geladen.",
  notKept: "Das Modell bleibt nur da, bis diese Seite geschlossen wird.",
  lensComes: "Das Bild wird geladen.",
  lenses: GERMAN_LENSES,
  player: PLAYER_GERMAN,
};
