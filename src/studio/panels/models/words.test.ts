import { expect, it } from "vitest";
import { readSource } from "../../../delivery/sources";
import type { StoredDtype } from "../../../format/manifest";
import { ENGLISH } from "../../words/english";
import { agreementSentence, hostSentence, spaceSentence, storedSentence } from "./words";

const measured = (tokenAgreement: number, approximate = false) => ({ tokenAgreement, approximate }) as StoredDtype;

it("never rounds a deviation up to none", () => {
  expect(agreementSentence("f16", measured(1), ENGLISH)).toContain("100 %");
  expect(agreementSentence("f16", measured(0.9996), ENGLISH)).toContain("99.9 %");
  expect(agreementSentence("q4", measured(0.713, true), ENGLISH)).toMatch(/^Approximate\. .*71\.3 %/);
});

it("says how much has to come", () => {
  expect(storedSentence(14.3e6, undefined, ENGLISH)).toBe("14.3 MB to download.");
  expect(storedSentence(14.3e6, { storedBytes: 6e6, totalBytes: 14.3e6 }, ENGLISH)).toContain("6.0 MB of it are here");
  expect(storedSentence(14.3e6, { storedBytes: 14.3e6, totalBytes: 14.3e6 }, ENGLISH)).toContain(
    "stored on this device",
  );
});

it("names the host before it is asked", () => {
  const page = "https://page.example/";
  expect(hostSentence(readSource("owner/model", page), ENGLISH)).toContain("huggingface.co");
  expect(hostSentence(readSource("https://models.example/x", page), ENGLISH)).toContain(
    "Asks models.example and no other",
  );
  expect(hostSentence(readSource("https://page.example/x", page), ENGLISH)).toContain("own server");
});

it("says that a private window keeps nothing", () => {
  expect(spaceSentence(0, null, false, ENGLISH)).toContain("keeps nothing");
  expect(spaceSentence(2e9, { freeBytes: 5e9, usedBytes: 0, persisted: false }, true, ENGLISH)).toBe(
    "2.0 GB are stored on this device; the browser has room for 5.0 GB more.",
  );
});
