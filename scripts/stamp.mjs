// Remembers for which files an installation was made, so that it is made again only when one of them changes.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";

const fingerprint = (files) => {
  const hash = createHash("sha256");
  for (const file of files) hash.update(readFileSync(file));
  return hash.digest("hex");
};

/** Whether the installation that `stampFile` stands in was made for these `files` as they are now. */
export const isCurrent = (stampFile, files) =>
  existsSync(stampFile) && readFileSync(stampFile, "utf8") === fingerprint(files);

export const markCurrent = (stampFile, files) => writeFileSync(stampFile, fingerprint(files));
