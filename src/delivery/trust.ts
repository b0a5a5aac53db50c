/**
 * A model's files may come from anywhere. What their schema allows and no honest export would hold is refused here, before
 * a byte is reserved for it: sizes that no architecture has, files that are not what they seem, places outside their bounds.
 */
import { MOST_POSITIONS } from "../flow/settings";
import { networkParameters, WEIGHT_BYTES } from "../format/architecture";
import { shortened } from "../format/faultIn";
import type { Dtype, Manifest } from "../format/manifest";
import { packedBytes, type StoredTensor, sizeOf, type WeightIndex } from "../format/weightIndex";
import { formatBytes } from "./bytes";
import { UntrustedModelError } from "./graphCheck";

/** Most bytes of `manifest.json`. */
export const MOST_MANIFEST_BYTES = 4e6;

const MOST_FILES = 1000;
const MOST_PATH = 200;
// Of one shard (export/FORMAT.md).
const MOST_SHARD_BYTES = 64_000_000;
// Of one graph, index, tokenizer or other file that is no shard.
const MOST_OTHER_BYTES = 64_000_000;
const MOST_TENSORS = 20_000;
// Of one virtual file: 512 MiB, and a single tensor larger than that alone.
const MOST_VIRTUAL_BYTES = 2 ** 31;
// What an encoder may add to the network, in weights: that of T5-large has 335 million.
const MOST_ENCODER_WEIGHTS = 4e8;

const LIMITS = {
  depth: 256,
  hiddenSize: 16_384,
  heads: 256,
  latentSize: 8_192,
  bottleneckSize: 8_192,
  vocabularySize: 1_000_000,
  maxLength: MOST_POSITIONS,
  maxInputLength: MOST_POSITIONS,
  selfCondCfgTokens: 64,
  parameters: 10e9,
} as const satisfies Partial<Record<keyof Manifest["architecture"], number>>;

const MOST_CHARACTERS = { name: 100, title: 200, description: 4000, licence: 200 } as const;
const MOST_EXAMPLE_CHARACTERS = 4000;
const MOST_PRESET_CHARACTERS = { name: 40, note: 200 } as const;

/**
 * Checks what a manifest's schema cannot say.
 * @throws {UntrustedModelError} naming what is wrong.
 */
export function checkManifest(manifest: Manifest): void {
  for (const [name, most] of Object.entries(LIMITS)) {
    const value = manifest.architecture[name as keyof typeof LIMITS];
    if (value > most) refuse(`its ${name} is ${value}, more than any model's`);
  }
  for (const [name, most] of Object.entries(MOST_CHARACTERS)) {
    if (charactersIn(manifest[name as keyof typeof MOST_CHARACTERS]) > most) refuse(`its ${name} is too long to show`);
  }
  const endless = manifest.examples.some((example) => charactersIn(example) > MOST_EXAMPLE_CHARACTERS);
  if (endless) refuse("one of its examples is too long to show");
  checkPresets(manifest.presets);
  const { hiddenSize, heads, vocabularySize, parameters } = manifest.architecture;
  if (hiddenSize % heads !== 0) refuse(`${heads} heads do not share a width of ${hiddenSize}`);
  const expected = networkParameters(manifest.architecture);
  if (parameters < 0.8 * expected || parameters > 1.25 * expected) {
    refuse(`it says ${parameters} weights where its shapes have about ${expected}`);
  }
  const tokens = Object.entries(manifest.tokens).find(([, id]) => id >= vocabularySize);
  if (tokens) refuse(`its token ${tokens[0]} lies outside the vocabulary`);
  if (manifest.decoder.topK > Math.min(100, vocabularySize)) refuse(`it asks for ${manifest.decoder.topK} rivals`);
  checkFiles(manifest.files, Object.values(manifest.dtypes), "manifest.json");
  for (const [dtype, stored] of Object.entries(manifest.dtypes)) {
    const encoder = manifest.graphs.encoder ? MOST_ENCODER_WEIGHTS : 0;
    // A network in a smaller dtype may keep any of its layers in float32.
    const most = 4 * (1.25 * expected + encoder) + 1e6;
    const least = 0.5 * expected * WEIGHT_BYTES[dtype as Dtype];
    if (stored.bytes > most || stored.bytes < least) {
      refuse(`its ${dtype} weights take ${formatBytes(stored.bytes)}, which ${expected} weights do not`);
    }
  }
}

function checkPresets(presets: Manifest["presets"]): void {
  for (const preset of presets) {
    for (const field of ["name", "note"] as const) {
      const text = preset[field];
      if (charactersIn(text) > MOST_PRESET_CHARACTERS[field]) refuse(`the ${field} of a preset is too long to show`);
      if (/\p{Cc}/u.test(text)) refuse(`the ${field} of a preset has control characters`);
    }
  }
}

/** As Python counts: a character beyond 16 bits is one. */
function charactersIn(text: string): number {
  return [...text].length;
}

/** Checks a model's list of files; `own` is the name of the file that the list stands in. @throws {UntrustedModelError} */
export function checkFiles(
  files: Manifest["files"],
  stored: readonly { readonly shards: readonly string[] }[],
  own: string,
): void {
  if (files.length > MOST_FILES) refuse(`it lists ${files.length} files`);
  const shards = new Set(stored.flatMap(({ shards }) => shards));
  const paths = new Set<string>();
  const sizes = new Map<string, number>();
  for (const { path, bytes, sha256 } of files) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is looked for.
    if (path.length > MOST_PATH || /[\x00-\x1f\x7f]|%/.test(path)) refuse("a path in its list of files is none");
    if (path === own) refuse("it lists itself");
    const most = shards.has(path) ? MOST_SHARD_BYTES : MOST_OTHER_BYTES;
    if (bytes > most) refuse(`${path} takes ${formatBytes(bytes)}, more than the ${formatBytes(most)} of one file`);
    // Folders of some systems and some hubs do not tell capitals from small letters.
    if (paths.has(path.toLowerCase())) refuse(`it lists ${path} twice`);
    paths.add(path.toLowerCase());
    if ((sizes.get(sha256) ?? bytes) !== bytes) refuse(`${path} has the SHA-256 of a file of another size`);
    sizes.set(sha256, bytes);
  }
  for (const { shards } of stored) {
    if (new Set(shards).size < shards.length) refuse("it lists a shard twice");
  }
}

/**
 * Checks an index against the dtype and the bytes that its manifest names, and against itself, so that no tensor is read or written over another and nothing
 * larger than the network is reserved.
 * @throws {UntrustedModelError}
 */
export function checkIndex(index: WeightIndex, dtype: Dtype, bytes: number | undefined): void {
  if (index.dtype !== dtype) refuse(`the index of ${dtype} is one of ${index.dtype}`);
  if (index.bytes !== bytes) refuse("its index is of other shards");
  if (index.tensors.length > MOST_TENSORS) refuse(`its index lists ${index.tensors.length} tensors`);
  const virtual = [...index.files, ...(index.packedFiles ?? [])];
  if (virtual.length > MOST_FILES) refuse(`its index lists ${virtual.length} files of weights`);
  const names = new Set(virtual.map(({ path }) => path));
  if (names.size < virtual.length) refuse("its index names a file of weights twice");
  for (const { path, bytes } of virtual) {
    if (!/^[\w-]{1,60}\.bin$/.test(path)) refuse("its index names a file of weights that is none");
    if (bytes > MOST_VIRTUAL_BYTES) refuse(`${path} would take ${formatBytes(bytes)}`);
  }
  for (const tensor of index.tensors) {
    if (!Number.isSafeInteger(sizeOf(tensor))) refuse(`${tensor.name} has more numbers than can be counted`);
  }
  const space = (start: number, bytes: number, name: string) => ({ start, end: start + bytes, name });
  checkApart(index.tensors.map(({ offset, bytes, name }) => space(offset, bytes, name)));
  const plain = index.tensors.map((tensor) => ({ ...tensor.plain, bytes: 4 * sizeOf(tensor), name: tensor.name }));
  const packed = index.tensors.flatMap(packedPlaces);
  for (const [files, places] of [
    [index.files, plain],
    [index.packedFiles ?? [], packed],
  ] as const) {
    for (const [at, { path, bytes }] of files.entries()) {
      const inside = places.filter(({ file }) => file === at);
      checkApart(inside.map((place) => space(place.offset, place.bytes, place.name)));
      // Tensors begin at multiples of 64; a file is no larger than its tensors and the gaps between them.
      const filled = inside.reduce((sum, place) => sum + place.bytes + 64, 64);
      if (bytes > filled) refuse(`${path} would take ${formatBytes(bytes)} for ${formatBytes(filled)} of weights`);
    }
  }
}

/** Where a tensor lies in the files of packed graphs, and how many bytes it takes there. */
function packedPlaces(tensor: StoredTensor): { file: number; offset: number; bytes: number; name: string }[] {
  const { name, packed } = tensor;
  if (!packed) return [];
  if (!("values" in packed)) return [{ ...packed, bytes: 4 * sizeOf(tensor), name }];
  const { values, scales } = packedBytes(tensor);
  return [
    { ...packed.values, bytes: values, name },
    { ...packed.scales, bytes: scales, name },
  ];
}

/** Refuses places that overlap. */
function checkApart(places: { start: number; end: number; name: string }[]): void {
  places.sort((a, b) => a.start - b.start);
  for (const [i, place] of places.entries()) {
    const before = places[i - 1];
    if (before && before.end > place.start) refuse(`${before.name} and ${place.name} lie over each other`);
  }
}

function refuse(why: string): never {
  throw new UntrustedModelError(
    `This model will not be loaded: ${shortened(why)}.`,
    "Use a model that `elf export` wrote.",
  );
}
