/** What the element itself says, around a player that has words of its own. */
import type { LensWords } from "../player/lenses/words";
import { ENGLISH as PLAYER_ENGLISH, type Words as PlayerWords } from "../player/words";

export interface Words {
  readonly player: PlayerWords;
  /** The element's name for a screen reader; `title` is the model's. */
  label(title: string): string;
  readonly loadingTrace: string;
  /** On the poster. */
  readonly show: string;
  /** In place of a text where none is written yet. */
  readonly empty: string;
  readonly generate: string;
  readonly stop: string;
  readonly retry: string;
  readonly dismiss: string;
  readonly prompt: string;
  /** How many others are to be served before. */
  waiting(ahead: number): string;
  readonly asking: string;
  /** While it is downloaded; `asking` unless given. */
  readonly loading?: string;
  /** Beside that, how far it is. */
  downloading(done: number, total: number): string;
  readonly preparing: string;
  readonly writing: string;
  /** What pressing Generate would do, before it is done; a host is named where one is asked. */
  loads(host: string): string;
  /** The same in a frame of another site, which browsers keep apart. */
  readonly loadsAgain: string;
  /** Said where the browser lets nothing be kept. */
  readonly notKept: string;
  /** In place of a lens that is still fetched, and of paths that are still asked for. */
  readonly lensComes: string;
  /** What lenses say; their own English unless given. */
  readonly lenses?: LensWords;
}

export function megabytes(language: string): (bytes: number) => string {
  const { format } = new Intl.NumberFormat(language, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
  return (bytes) => format(bytes / 1e6);
}

const mega = megabytes("en");

export const ENGLISH: Words = {
  player: PLAYER_ENGLISH,
  label: (title) => (title ? `A text flows out of noise: ${title}` : "A text flows out of noise"),
  loadingTrace: "The recorded run is on its way.",
  show: "Show how this text flows out of noise",
  empty: "Nothing is written yet.",
  generate: "Generate",
  stop: "Stop",
  retry: "Try again",
  dismiss: "Dismiss",
  prompt: "Write to",
  waiting: (ahead) => `Waits for its turn, ${ahead} before it`,
  asking: "Asks for the model",
  loading: "Loads the model",
  downloading: (done, total) => `${mega(done)} of ${mega(total)} MB`,
  preparing: "Makes the model ready",
  writing: "Writes",
  loads: (host) => (host ? `Loads the model from ${host} first.` : "Loads the model first."),
  loadsAgain: "This frame is kept apart from other sites, so it loads again here.",
  notKept: "The model is kept only until this page is closed.",
  lensComes: "The picture is on its way.",
};
