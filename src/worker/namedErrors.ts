/**
 * How errors leave the worker. Structured cloning keeps of an error only its name and message, so the named ones travel
 * as plain objects and are made again, class and all, on the page.
 */
import { transferHandlers } from "comlink";
import { UntrustedModelError } from "../delivery/graphCheck";
import { PolicyError } from "../delivery/policy";
import { SourceError } from "../delivery/sources";
import {
  CorruptFileError,
  ForbiddenError,
  ForeignHostError,
  MissingFileError,
  NoSpaceError,
  StoreError,
  TruncatedFileError,
  UnreachableError,
} from "../delivery/store/errors";
import { CancelledError, ConditionError, ElfError, SettingsError } from "../flow/errors";
import { ManifestError, ManifestVersionError } from "../format/manifest";
import { SafetensorsError } from "../format/safetensors";
import { WeightIndexError } from "../format/weightIndex";
import { NoModelError } from "../run/errors";
import { GpuMemoryError } from "../runtime/gpu/errors";
import { SessionError } from "../runtime/graphs";
import { TooLargeError } from "../runtime/memoryPlan";
import { DeviceLostError, OutOfMemoryError, RuntimeError } from "../runtime/runtime";
import { SelfTestError } from "../runtime/selfTest";
import { TokenizerError } from "../runtime/tokenizer";
import { NoWebGpuError } from "../runtime/webgpu";
import { EngineCrashedError } from "./errors";

/** Every named error that can leave the worker. */
const CROSSING = [
  CancelledError,
  ConditionError,
  CorruptFileError,
  DeviceLostError,
  EngineCrashedError,
  ForbiddenError,
  ForeignHostError,
  GpuMemoryError,
  ManifestError,
  ManifestVersionError,
  MissingFileError,
  NoModelError,
  NoSpaceError,
  NoWebGpuError,
  OutOfMemoryError,
  PolicyError,
  RuntimeError,
  SafetensorsError,
  SelfTestError,
  SessionError,
  SettingsError,
  SourceError,
  StoreError,
  TokenizerError,
  TooLargeError,
  TruncatedFileError,
  UnreachableError,
  UntrustedModelError,
  WeightIndexError,
] as const satisfies readonly (new (
  message: string,
  action: string,
) => ElfError)[];

interface PackedError {
  /** Of a named error; absent for all others. */
  readonly code?: string;
  readonly name: string;
  readonly message: string;
  readonly action?: string;
  readonly stack?: string | undefined;
}

/** What is sent of anything thrown. */
export function packError(thrown: unknown): PackedError {
  if (thrown instanceof ElfError) {
    const { code, name, message, action, stack } = thrown;
    return { code, name, message, action, stack };
  }
  if (thrown instanceof Error) return { name: thrown.name, message: thrown.message, stack: thrown.stack };
  return { name: "Error", message: String(thrown) };
}

/** The error that was packed, of its own class where it is a named one. */
export function unpackError(packed: PackedError): Error {
  const { code, name, message, action = "", stack } = packed;
  const Named = CROSSING.find((candidate) => new candidate("", "").code === code);
  const error = Named ? new Named(message, action) : Object.assign(new Error(message), { name });
  if (stack !== undefined) error.stack = stack;
  return error;
}

/** Makes Comlink carry errors this way. To be called once on each side. */
export function carryErrors(): void {
  const original = transferHandlers.get("throw");
  if (!original) throw new Error("Comlink no longer has a handler named throw.");
  transferHandlers.set("throw", {
    canHandle: original.canHandle,
    serialize: (thrown: unknown): [PackedError, Transferable[]] => [
      packError((thrown as { value: unknown }).value),
      [],
    ],
    deserialize: (packed: PackedError): never => {
      throw unpackError(packed);
    },
  });
}
