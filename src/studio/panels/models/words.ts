import { formatBytes } from "../../../delivery/bytes";
import type { StoredShare } from "../../../delivery/library";
import type { ModelSource } from "../../../delivery/sources";
import type { Space } from "../../../delivery/store/space";
import type { Dtype, Manifest, StoredDtype } from "../../../format/manifest";
import { backendName } from "../../../runtime/backendInWords";
import { describeChange, type Machine, type MemoryPlan, nearestPlan } from "../../../runtime/memoryPlan";

export const PRECISION: Readonly<Record<Dtype, string>> = { f32: "32-bit", f16: "16-bit", q8: "8-bit", q4: "4-bit" };

export function parametersInWords(parameters: number): string {
  if (parameters < 1e6) return `${Math.round(parameters / 1e3)} thousand parameters`;
  return `${(parameters / 1e6).toFixed(parameters < 1e8 ? 1 : 0)} million parameters`;
}

/** What weights of this precision write, as it was measured when the model was exported. */
export function agreementSentence(dtype: Dtype, { tokenAgreement, approximate }: StoredDtype): string {
  if (dtype === "f32") return "The weights as they were trained.";
  const share = tokenAgreement >= 0.99995 ? "100" : Math.min(99.9, 100 * tokenAgreement).toFixed(1);
  const measured = `In whole runs ${share} % of the tokens are those that 32-bit weights write.`;
  return approximate ? `Approximate. ${measured}` : measured;
}

/** How much has to come, and how much is here. */
export function storedSentence(bytes: number, share: StoredShare | undefined): string {
  const size = formatBytes(bytes);
  if (!share || share.storedBytes === 0) return `${size} to download.`;
  if (share.storedBytes >= share.totalBytes) return `${size}, stored on this device.`;
  return `${size}; ${formatBytes(share.storedBytes)} of it are here already.`;
}

export function memorySentence({ bytes, parts, run, isPacked }: MemoryPlan): string {
  const named = parts
    .filter(({ name }) => name !== "runtime")
    .map((part) => `${isPacked && part.name === "weights" ? "packed weights" : part.name} ${formatBytes(part.bytes)}`)
    .join(", ");
  return `Takes up to ${formatBytes(bytes)} of memory on ${backendName(run.backend)} at ${run.length} tokens: ${named}.`;
}

/** What else of this model would fit, for one that does not. */
export function nearestSentence(manifest: Manifest, { run }: MemoryPlan, machine: Machine): string {
  const nearest = nearestPlan(manifest, run, machine);
  if (!nearest) return "Nothing of it fits here.";
  return `It fits with ${describeChange(nearest.run, run)}: ${formatBytes(nearest.bytes)}.`;
}

export function spaceSentence(storedBytes: number, space: Space | null, lasting: boolean | null): string {
  if (lasting === false) {
    return "This window keeps nothing: models stay in memory until the page is closed. That is so in private windows of some browsers and on plain http.";
  }
  const stored =
    storedBytes === 0 ? "No model is stored on this device" : `${formatBytes(storedBytes)} are stored on this device`;
  return space ? `${stored}; the browser has room for ${formatBytes(space.freeBytes)} more.` : `${stored}.`;
}

/** Whether the page itself, without its models, is on this device. */
export function keptPageSentence(isKept: boolean, bytes: number | null): string {
  if (!isKept) return "The page itself needs a network to open: this browser does not keep it.";
  const size = bytes ? `, ${formatBytes(bytes)}` : "";
  return `The page itself${size}, is kept too: it opens without a network, with the models that are stored.`;
}

/** Whom a lookup asks, before it asks. */
export function hostSentence({ kind, host }: ModelSource): string {
  if (kind === "hub") {
    return `Asks ${host}, which hands large files out from its own hosts under hf.co. They learn your network address and which model you load, nothing you write.`;
  }
  if (host === null) return "Lies on this page's own server.";
  return `Asks ${host} and no other host. It learns your network address and which model you load, nothing you write.`;
}
