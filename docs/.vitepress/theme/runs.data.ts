import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const folder = join(import.meta.dirname, "../../public/traces");

/** The texts of the recorded runs, by the names of their files: they stand in the page before and without any script. */
export default {
  watch: ["../../public/traces/*.json"],
  load: (): Record<string, string> =>
    Object.fromEntries(
      readdirSync(folder)
        .filter((file) => file.endsWith(".json"))
        .map((file) => [file.slice(0, -".json".length), JSON.parse(readFileSync(join(folder, file), "utf8")).text]),
    ),
};

export declare const data: Record<string, string>;
