import { ElfError } from "../flow/errors";
import { fetchFromFiles, type PlacedFile } from "./folder";
import { forbiddenRequest } from "./policy";
import { SHIPPED_FOLDER } from "./shipped";
import { ForeignHostError, UnreachableError } from "./store/errors";
import type { FetchFile } from "./store/request";

/** An address of a model that this page cannot or will not ask. */
export class SourceError extends ElfError {
  readonly code = "source";
}

/** Where a model comes from, as it is told to the person and asked for by the worker. */
export interface ModelSource {
  readonly kind: "shipped" | "address" | "hub" | "folder";
  /** Folder that holds `manifest.json`, ending in `/`. The model is known by it. */
  readonly baseUrl: string;
  /** As a person would write it. */
  readonly label: string;
  /** Host that is asked, if it is another than the page's own; null where nothing leaves. */
  readonly host: string | null;
}

const HUB = "https://huggingface.co";
/** The ends of hosts that the hub hands its large files out from. */
const HUB_HOST = /(^|\.)(huggingface|hf)\.co$/;
const HUB_ID = /^[A-Za-z0-9][\w.-]{0,95}\/[A-Za-z0-9][\w.-]{0,95}$/;
const REVISION = /^[A-Za-z0-9][\w./-]{0,127}$/;
/** Letters of an address; servers take no longer ones. */
const LONGEST_ADDRESS = 8000;
/** Dropped folders have no address; this scheme stands for one. */
const FOLDER = "folder:";

/** The model in the folder `NAME` of those that ship. */
export function shippedSource(name: string, pageUrl: string): ModelSource {
  const url = new URL(`${SHIPPED_FOLDER}${name}/`, pageUrl);
  return {
    kind: "shipped",
    baseUrl: url.href,
    label: `models/${name}`,
    host: url.origin === new URL(pageUrl).origin ? null : url.host,
  };
}

/** A folder dropped on the page; `digest` tells it from others of its name. */
export function folderSource(name: string, digest: string): ModelSource {
  const plain = name.replace(/[^\w.-]+/g, "-").slice(0, 80) || "model";
  return { kind: "folder", baseUrl: `${FOLDER}${plain}-${digest.slice(0, 12)}/`, label: name, host: null };
}

/**
 * Reads what a person typed: a hub's id `OWNER/NAME`, with `@REVISION` if wanted, the address of the hub's page, or the
 * address of a folder or of its `manifest.json`. Asks nobody.
 * @throws {SourceError}
 */
export function readSource(text: string, pageUrl: string): ModelSource {
  if (text.length > LONGEST_ADDRESS) {
    const letters = text.length.toLocaleString("en");
    throw new SourceError(
      `${letters} letters are no address of a model.`,
      "Write OWNER/NAME, or paste the address alone.",
    );
  }
  const typed = alone(text);
  const [, id = "", revision = "main"] = /^([^@\s]+)(?:@(\S+))?$/.exec(typed) ?? [];
  if (HUB_ID.test(id)) return hubSource(id, revision);
  const url = URL.canParse(typed) ? new URL(typed) : null;
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new SourceError(
      `“${typed.slice(0, 80)}” is neither a hub id nor an address.`,
      "Write OWNER/NAME, OWNER/NAME@REVISION, or the https address of a folder that elf export wrote.",
    );
  }
  // Of a file that the hub shows, its folder.
  const path = `${url.pathname.replace(/(\/(?:resolve|blob)\/.+)\/[^/]*\.\w+$|\/(manifest\.json)?$/, "$1")}/`;
  const hub = /^\/([^/]+\/[^/]+)(?:\/(?:tree|resolve|blob)\/([^/]+)\/(.*))?/.exec(path);
  if (url.origin === HUB && hub) return hubSource(hub[1] ?? "", unescapedOnce(hub[2] ?? "main"), hub[3]);
  if (url.username || url.password || url.search) {
    throw new SourceError(
      "The address holds a password or a query, which would be sent with every file.",
      "Give the plain address of the folder; download a private model yourself and drop its folder on the page.",
    );
  }
  const page = new URL(pageUrl);
  if (page.protocol === "https:" && url.protocol === "http:" && !isLocal(url)) {
    throw new SourceError("A page on https may not load from plain http.", "Give an address that begins with https.");
  }
  const baseUrl = `${url.origin}${path}`;
  const host = url.origin === page.origin ? null : url.host;
  return { kind: "address", baseUrl, label: `${url.host}${path}`, host };
}

/** An address without the signs of the sentence that it was copied from, and without those that nobody sees. */
function alone(text: string): string {
  const seen = text.replace(/[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]/g, "").trim();
  const plain = seen.replace(/^[<("'“‘«`]+/, "").replace(/[>"'”’»`,;!]+$/, "");
  return plain.endsWith(")") && !plain.includes("(") ? alone(plain.slice(0, -1)) : plain;
}

function unescapedOnce(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Then it is no name of a revision either, and is refused as one.
    return text;
  }
}

// `folder` is where in the repository the model lies, ending in `/`; at its root unless given.
function hubSource(id: string, revision: string, folder = ""): ModelSource {
  if (!HUB_ID.test(id) || !REVISION.test(revision) || (revision + folder).includes("..")) {
    throw new SourceError(
      `“${id}@${revision}” is no model of the hub.`.slice(0, 200),
      "Write OWNER/NAME or OWNER/NAME@REVISION, as on the model's page.",
    );
  }
  return {
    kind: "hub",
    baseUrl: `${HUB}/${id}/resolve/${encodeURIComponent(revision)}/${folder}`,
    label: (revision === "main" ? id : `${id}@${revision}`) + `/${folder}`.slice(0, -1),
    host: new URL(HUB).host,
  };
}

/** The source of a model that is known by its address only: one that was kept, or one in a link. */
export function sourceOf(baseUrl: string, pageUrl: string): ModelSource {
  if (baseUrl.startsWith(FOLDER)) {
    const label = baseUrl.slice(FOLDER.length, -1).replace(/-[0-9a-f]{12}$/, "");
    return { kind: "folder", baseUrl, label, host: null };
  }
  const shipped = new URL(SHIPPED_FOLDER, pageUrl).href;
  const name = baseUrl.startsWith(shipped) ? baseUrl.slice(shipped.length, -1) : "";
  return name && !name.includes("/") ? shippedSource(name, pageUrl) : readSource(baseUrl, pageUrl);
}

/** The folder of one commit, where the hub told of one: a branch may move between two files. Else the same folder. */
export function pinned(baseUrl: string, response: Response): string {
  const commit = response.headers.get("x-repo-commit");
  if (!baseUrl.startsWith(`${HUB}/`) || !commit || !/^[0-9a-f]{40}$/.test(commit)) return baseUrl;
  // Behind the host, the owner and the name.
  return baseUrl.replace(/((?:\/[^/]+){3}\/resolve\/)[^/]+/, `$1${commit}`);
}

/**
 * Fetches from the host of the address alone: no cookies, no referrer, and no redirects, since where one leads is known
 * only after it was followed. The hub is the exception: it always hands its large files to hosts of its own, which may
 * only be those.
 */
export const fetchFromHost: FetchFile = async (url, init) => {
  const isHub = url.startsWith(`${HUB}/`);
  const response = await fetch(url, {
    ...init,
    credentials: "same-origin",
    referrerPolicy: "no-referrer",
    redirect: isHub ? "follow" : "manual",
  }).catch(async (error: unknown) => {
    throw (await forbiddenRequest(url)) ?? error;
  });
  if (response.type === "opaqueredirect") throw redirected(url);
  if (isHub && response.redirected && !isHubs(new URL(response.url))) {
    await response.body?.cancel();
    throw redirected(url);
  }
  return response;
};

/**
 * How the files of the model at `baseUrl` are had: from its host or, for a folder that was dropped, from its `files`.
 * Of one that was dropped on an earlier visit only what was stored then is left.
 */
export function fetchFor(baseUrl: string, files: readonly PlacedFile[] | undefined): FetchFile {
  if (files) return fetchFromFiles(files);
  if (!baseUrl.startsWith(FOLDER)) return fetchFromHost;
  return async () => {
    throw new UnreachableError(
      "Of this folder not everything was stored, and it is no longer at hand.",
      "Drop the folder on the page again.",
    );
  };
}

function isHubs({ protocol, hostname }: URL): boolean {
  return protocol === "https:" && HUB_HOST.test(hostname);
}

function redirected(url: string): ForeignHostError {
  return new ForeignHostError(
    `${new URL(url).host} sends this page elsewhere for ${new URL(url).pathname.split("/").at(-1)}.`,
    "Give the address that the files really lie at, or download them and drop their folder on the page.",
  );
}

function isLocal({ hostname }: URL): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127\./.test(hostname);
}
