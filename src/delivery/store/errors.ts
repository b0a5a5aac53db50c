import { ElfError } from "../../flow/errors";

/** A file of the model that is not where the manifest says. */
export class MissingFileError extends ElfError {
  readonly code = "missing-file";
}

/** A file that ended before its last byte. */
export class TruncatedFileError extends ElfError {
  readonly code = "truncated-file";
}

/** A file with other bytes than those the manifest was written for. */
export class CorruptFileError extends ElfError {
  readonly code = "corrupt-file";
}

/** The place that holds the model does not answer. */
export class UnreachableError extends ElfError {
  readonly code = "unreachable";
}

/** The place that holds the model answers, and refuses to hand it out. */
export class ForbiddenError extends ElfError {
  readonly code = "forbidden";
}

/** An answer that came from another host than the one the person chose. */
export class ForeignHostError extends ElfError {
  readonly code = "foreign-host";
}

/** The browser has no room for what is to be kept. */
export class NoSpaceError extends ElfError {
  readonly code = "no-space";
}

/** The browser's storage does not do what is asked of it. */
export class StoreError extends ElfError {
  readonly code = "store";
}
