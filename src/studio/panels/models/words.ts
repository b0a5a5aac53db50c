import type { StoredShare } from "../../../delivery/library";
import type { ModelSource } from "../../../delivery/sources";
import type { Space } from "../../../delivery/store/space";
import type { Dtype, Manifest, StoredDtype } from "../../../format/manifest";
import { backendName } from "../../../runtime/backendInWords";
import { type Machine, type MemoryPlan, nearestPlan } from "../../../runtime/memoryPlan";
import type { Words } from "../../words/english";

/** What weights of this precision write, as it was measured when the model was exported. */
export function agreementSentence(dtype: Dtype, { tokenAgreement, approximate }: StoredDtype, words: Words): string {
  if (dtype === "f32") return words.models.asTrained;
  const percent = tokenAgreement >= 0.99995 ? 100 : Math.min(99.9, 100 * tokenAgreement);
  return words.models.agreement(percent, approximate === true);
}

/** How much has to come, and how much is here. */
export function storedSentence(bytes: number, share: StoredShare | undefined, words: Words): string {
  const size = words.bytes(bytes);
  if (!share || share.storedBytes === 0) return words.models.toDownload(size);
  if (share.storedBytes >= share.totalBytes) return words.models.stored(size);
  return words.models.storedInPart(size, words.bytes(share.storedBytes));
}

export function memorySentence({ bytes, parts, run, isPacked }: MemoryPlan, words: Words): string {
  const names = words.models.memoryParts;
  const named = parts.flatMap(({ name, bytes }) =>
    name === "runtime" ? [] : [`${isPacked && name === "weights" ? names.packed : names[name]} ${words.bytes(bytes)}`],
  );
  return words.models.memory(words.bytes(bytes), backendName(run.backend), run.length, named.join(", "));
}

/** What else of this model would fit, for one that does not. */
export function nearestSentence(manifest: Manifest, { run }: MemoryPlan, machine: Machine, words: Words): string {
  const nearest = nearestPlan(manifest, run, machine);
  if (!nearest) return words.models.nothingFits;
  const { backend, dtype, length } = nearest.run;
  const changes = [
    ...(backend === run.backend ? [] : [backend === "wasm" ? words.models.onWasm : words.models.onWebGpu]),
    ...(dtype === run.dtype ? [] : [words.models.atPrecision(dtype)]),
    ...(length === run.length ? [] : [words.models.atLength(length)]),
  ];
  return words.models.nearest(changes, words.bytes(nearest.bytes));
}

export function spaceSentence(
  storedBytes: number,
  space: Space | null,
  lasting: boolean | null,
  { models, bytes }: Words,
): string {
  if (lasting === false) return models.keepsNothing;
  const stored = storedBytes === 0 ? models.noneStored : models.bytesStored(bytes(storedBytes));
  return models.room(stored, space && bytes(space.freeBytes));
}

/** Whom a lookup asks, before it asks. */
export function hostSentence({ kind, host }: ModelSource, { models }: Words): string {
  if (kind === "hub") return models.asksHub(host);
  return host === null ? models.asksNobody : models.asksHost(host);
}
