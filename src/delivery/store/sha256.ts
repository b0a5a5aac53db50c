import { sha256 } from "@noble/hashes/sha2.js";
import { offered } from "../offered";

/** SHA-256 over bytes that come piece by piece; WebCrypto takes them only all at once, and not on plain http. */
export class Sha256 {
  readonly #hash = sha256.create();

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  /** The digest in lower-case hexadecimal digits. Ends the use of this object. */
  hex(): string {
    return hexadecimal(this.#hash.digest());
  }
}

/** SHA-256 of bytes that are all here: by the browser where it does that, which is several times as fast. */
export async function sha256Of(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  // Browsers leave `subtle` out on plain http; extensions against fingerprinting may refuse it.
  const subtle = offered(() => globalThis.crypto?.subtle as SubtleCrypto | undefined);
  try {
    if (subtle) return hexadecimal(new Uint8Array(await subtle.digest("SHA-256", bytes)));
  } catch {
    // Then as without it.
  }
  const hash = new Sha256();
  hash.update(bytes);
  return hash.hex();
}

function hexadecimal(digest: Uint8Array): string {
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
