import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");

/** Every exported model in the repository, shipped or made for tests, as a path from its root: a new one is tested too. */
export const modelFolders = ["models", "test/fixtures"].flatMap((parent) =>
  readdirSync(join(root, parent))
    .map((name) => `${parent}/${name}`)
    .filter((folder) => existsSync(join(root, folder, "manifest.json"))),
);
