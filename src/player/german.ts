import type { CompareWords } from "./compare/words";
import type { LensWords } from "./lenses/words";
import { twoDecimals, type Words } from "./words";

const two = twoDecimals("de");
const comma = (value: number) => String(value).replace(".", ",");

/** What a player says, in German. */
export const GERMAN: Words = {
  readings: {
    label: "Welche Lesart des Zustands",
    holds: "Was es hat",
    expects: "Was es erwartet",
    holdsIs: "Der Zustand *z* zur Zeit *t*, in Wörtern",
    expectsIs: "Seine Vermutung *x̂* über den fertigen Text",
  },
  given: "Vorgegeben",
  progress: {
    settled: (settled, words) => `${settled} von ${words} ${words === 1 ? "Wort steht" : "Wörtern stehen"} fest`,
    writing: (step, steps) => `Schreibt, Schritt ${step} von ${steps}`,
    stopped: (step, steps) => `Angehalten bei Schritt ${step} von ${steps}`,
    reading: (read, steps) => `Geschrieben; ${read} von ${steps} Schritten sind gelesen`,
    failed: (step, steps) => `Gescheitert nach Schritt ${step} von ${steps}`,
  },
  tokens: {
    list: "Tokens des Textes",
    held: "festgehalten",
    percent: (percent) => `${percent} Prozent`,
    wished: (word) => `wird im nächsten Lauf als ${word} festgehalten`,
    end: "Textende",
    space: "Leerzeichen",
    padding: "Füllung",
    byte: (hexadecimal) => `Byte ${hexadecimal}`,
  },
  card: {
    label: (position) => `Alternativen an Stelle ${position}`,
    position: (position) => `Stelle ${position}`,
    hold: (word) => `${word} hier festhalten`,
    nats: (entropy) => `${two(entropy)} nat`,
    decided: "entschieden",
    nearlyDecided: "fast entschieden",
    openAs: (choices) => `so offen wie ${choices.toLocaleString("de")} gleich wahrscheinliche Wörter`,
    neverChanged: "Seit dem Rauschen unverändert.",
    changed: (t, step) => `Zuletzt geändert bei t = ${two(t)}, Schritt ${step}.`,
  },
  time: {
    label: "Zeit",
    back: "Einen Schritt zurück",
    play: "Abspielen",
    pause: "Anhalten",
    forward: "Einen Schritt vor",
    t: (t) => `t = ${two(t)}`,
    step: (step, steps) => `Schritt ${step} von ${steps}`,
    unread: "noch nicht gelesen",
    speed: "Tempo",
    follow: "Folgen",
    followNewest: "Dem neuesten Schritt folgen",
    stills: "Zeigt Anfang, Mitte und Ende",
    layout: "Anordnung der Zeitleiste",
    evenInTime: "nach t",
    evenInTimeIs: "Schritte stehen bei ihren wirklichen Zeiten",
    evenInSteps: "nach Schritten",
    evenInStepsIs: "Jeder Schritt bekommt gleich viel Platz",
  },
  track: {
    label: "Zeit t, vom Rauschen zum Text",
    value: (t, step, steps) => `t = ${two(t)}, Schritt ${step} von ${steps}`,
    fork: "Geht von hier weiter",
    forked: "wo es von einem anderen Lauf aus weitergeht",
    bars: (step, most, all) => `Die meisten Tokens stehen ab Schritt ${step} fest: ${most} von ${all}.`,
    noBars: "Wie viele Tokens bei welchem Schritt feststehen, zeigt sich, wenn der Lauf vollständig ist.",
    bar: (count, step) => `${count} ${count === 1 ? "Token steht" : "Tokens stehen"} ab Schritt ${step} fest`,
    noise: "Rauschen",
    text: "Text",
    legend: "Tokens, fest ab dem Schritt",
  },
  run: {
    number: comma,
    steps: (steps) => `${steps} ${steps === 1 ? "Schritt" : "Schritte"}`,
    seed: (seed) => `Seed ${seed}`,
    between: (percent, seed, other) => `${comma(percent)} % von Seed ${seed} zu ${other}`,
    back: "vom Rauschen eines Textes",
  },
  said: {
    writing: "Schreibt.",
    nothing: "kein Text",
    finished: (text) => `Fertig: ${text}`,
    step: (step, steps, text) => `Schritt ${step} von ${steps}: ${text}`,
  },
};

const format = (digits: number) =>
  new Intl.NumberFormat("de", { minimumFractionDigits: digits, maximumFractionDigits: digits }).format;

export const GERMAN_LENSES: LensWords = {
  label: "Linsen",
  titles: { paths: "Bahnen", certainty: "Gewissheit", schedule: "Zeitplan", numbers: "Zahlen", quality: "Güte" },
  about: {
    paths:
      "Jeder Punkt ist ein Token des Textes, seine Einbettung gesehen in den zwei Richtungen, in denen sich die Wörter des Modells am meisten unterscheiden: erst eine Wolke aus Rauschen, am Ende Wörter, und hinter jedem die Bahn, auf der es kam. Violett: noch offen. Tinte: entschieden. Ein Druck auf einen Punkt folgt ihm allein, mit den Wörtern, die er unterwegs las; ein Druck auf seine Bahn führt dorthin.",
    certainty:
      "Jede Zeile ist ein Token des Textes, jede Spalte ein Schritt. Violett: noch offen. Papier: entschieden. Orange: eben geändert; darunter die Schritte, in denen die mittlere Hälfte der Wörter feststeht. Ein Druck auf eine Stelle führt dorthin.",
    schedule:
      "Wo die Schritte zwischen Rauschen und Text stehen, wie lang jeder ist und wie viel ein Schritt von seinem Zustand behält, bevor frisches Rauschen dazukommt.",
    numbers: "Wie offen der Text ist, wie viele Wörter feststehen und wie verschieden sie sind, Schritt für Schritt.",
    quality:
      "Jeder violette Punkt ist einer Ihrer Läufe, der orange ist der gezeigte: rechts Texte aus vielen verschiedenen Wörtern, unten solche, die ein kleines Modell für das nächste Wort, der Richter, erwartet. Grau: hundert echte Texte; beim Kreuz liegen sie alle zusammen. Links unter ihm sagen Texte immer wieder dasselbe. Ein Druck auf einen Punkt zeigt seinen Lauf.",
  },
  asTable: "Als Tabelle",
  number: (value, digits = 2) => format(digits)(value),
  percent: (share) => `${format(0)(100 * share)} %`,
  step: "Schritt",
  time: "t",
  position: "Stelle",
  word: "Wort",
  notYet: "Es gibt noch nichts zu zeigen.",
  whenComplete: "Das zeigt sich, wenn der Lauf vollständig ist.",
  missing: (lens) =>
    lens === "quality"
      ? "Diesen Text hat noch kein Richter gelesen."
      : "Wo die Tokens dieses Laufs waren, ist nicht mit ihm aufbewahrt.",
  paths: {
    entropy: "nat",
    nearest: "nächste Tokens",
    said: (step, steps, t, decided, positions) =>
      `Schritt ${step} von ${steps}, t = ${t}: ${decided} von ${positions} Tokens sind so gut wie entschieden.`,
    followed: (position, words) =>
      words.length === 1
        ? `Stelle ${position} liest die ganze Zeit „${words[0]}“.`
        : `Stelle ${position} liest nacheinander: ${words.join(", ")}.`,
    ownBasis: "Die Richtungen sind die vom Ende dieses Laufs: Neben die Bilder anderer Läufe passt dieses nicht.",
  },
  certainty: {
    settledAt: "steht fest ab Schritt",
    entropyAtEnd: "nat am Ende",
    changes: "Änderungen",
    said: (words, median, last) =>
      `Von ${words} Wörtern steht die Hälfte ab Schritt ${median} fest, das letzte ab Schritt ${last}.`,
    phase: (from, to) =>
      `Die mittlere Hälfte entscheidet sich ${from === to ? `in Schritt ${from}` : `in den Schritten ${from} bis ${to}`}.`,
    usual: (runs, from, to) =>
      `In ${runs === 1 ? "1 Lauf" : `${runs} Läufen`} wie diesem entscheidet sie sich ${from === to ? `in Schritt ${from}` : `in den Schritten ${from} bis ${to}`} (violett).`,
    unsettled: "Was feststeht, zeigt sich, wenn der Lauf vollständig ist.",
    noWords: "Der Text hat keine Wörter, die feststehen könnten.",
  },
  schedule: {
    length: "Länge des Schritts",
    kept: "behaltener Anteil des Zustands",
    density: "Dichte der Zeiten",
    said: (steps, early) => `Von ${steps} Schritten beginnen ${early} vor t = 0,4.`,
    keptSaid: (least) =>
      ` Wo das meiste Rauschen dazukommt, bleiben ${format(0)(100 * least)} % des Zustands erhalten.`,
  },
  numbers: {
    entropy: "mittlere Entropie (nat)",
    settled: "Anteil der feststehenden Wörter",
    distinct: "verschiedene Wörter",
    words: "Wörter",
    decided: "so gut wie entschiedene Wörter",
    wordEntropy: "Entropie der Wörter (nat)",
    distinctOf: (order) =>
      order === 1 ? "verschiedene Wörter, von allen" : `verschiedene Folgen von ${order} Wörtern, von allen`,
    adjacent: "Wörter zweimal hintereinander",
    repeated: "Folgen von 4 Wörtern, die schon da waren",
    said: (entropy) => `Beim letzten Schritt beträgt die mittlere Entropie ${entropy} nat.`,
  },
  quality: {
    text: "Text",
    perplexity: "Perplexität",
    entropy: "Entropie (nat)",
    surprising: "↑ Perplexität beim Richter",
    varied: "Entropie seiner Tokens (nat) →",
    real: "echter Text",
    shown: (label) => `${label} (gezeigt)`,
    said: (perplexity, entropy, realPerplexity, realEntropy) =>
      `Perplexität ${perplexity}, Entropie ${entropy} nat; echter Text hat ${realPerplexity} und ${realEntropy}.`,
    realSaid: (perplexity, entropy) =>
      `Echter Text hat eine Perplexität von ${perplexity} und eine Entropie von ${entropy} nat.`,
  },
};

export const GERMAN_COMPARE: CompareWords = {
  differs: "anders als im ersten",
  differ: (tokens) =>
    tokens === 0 ? "dieselben Tokens" : `${tokens} ${tokens === 1 ? "Token ist anders" : "Tokens sind anders"}`,
  coming: "Noch nicht geschrieben.",
  atSecond: (seconds) => `nach ${format(1)(seconds)} s`,
};
