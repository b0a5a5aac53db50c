import { afterEach, expect, it, vi } from "vitest";
import { Sha256, sha256Of } from "./sha256";

/** What `printf abc | sha256sum` says. */
const OF_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const ABC = new TextEncoder().encode("abc");

const refusal = () => new DOMException("The request was denied.", "SecurityError");

afterEach(() => vi.unstubAllGlobals());

it("is the same piece by piece and at once", async () => {
  const hash = new Sha256();
  hash.update(ABC.subarray(0, 1));
  hash.update(ABC.subarray(1));
  expect(hash.hex()).toBe(OF_ABC);
  expect(await sha256Of(ABC)).toBe(OF_ABC);
});

it.each([
  ["has no WebCrypto", undefined],
  ["leaves it out on plain http", {}],
  [
    "refuses at its name",
    Object.defineProperty({}, "subtle", {
      get: () => {
        throw refusal();
      },
    }),
  ],
  [
    "throws",
    {
      subtle: {
        digest: () => {
          throw refusal();
        },
      },
    },
  ],
  [
    "rejects",
    {
      subtle: {
        digest: async () => {
          throw refusal();
        },
      },
    },
  ],
])("is found without the browser where that %s", async (_, crypto) => {
  vi.stubGlobal("crypto", crypto);
  expect(await sha256Of(ABC)).toBe(OF_ABC);
});
