/** `offline.js`, the worker that keeps the page: put beside the page, with the list of what there is to keep. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { build, type Plugin } from "vite";
import { SHIPPED_JUDGES } from "./src/delivery/shipped.ts";
import type { JudgeManifest } from "./src/format/judgeManifest.ts";
import type { OfflineList } from "./src/offline/list.ts";

/** Beside the page, for that is the folder it may answer for; always under this name, for that is how a browser finds a newer one. */
const FILE = "offline.js";

export function offlineWorker(): Plugin {
  let publicDir = "";
  return {
    name: "elf:offline-worker",
    apply: "build",
    configResolved(config) {
      publicDir = config.publicDir;
    },
    generateBundle: {
      order: "post",
      async handler(_, bundle) {
        const page = bundle["index.html"];
        if (page?.type !== "asset") return this.error("There is no index.html to be kept.");
        const named = Object.keys(bundle).filter((file) => file !== "index.html");
        const open = publicFiles(publicDir).map((file) => ({ file, bytes: readFileSync(join(publicDir, file)) }));
        const kept = offlineList(named, [{ file: "", bytes: Buffer.from(page.source) }, ...open]);
        const list = { ...kept, fresh: ["models/index.json", ...SHIPPED_JUDGES.flatMap(judgeFiles)] };
        this.emitFile({ type: "asset", fileName: FILE, source: await workerOf(list) });
      },
    },
  };
}

/** One script without imports, a build of its own: what it has in common with the page would else be a file that both import. */
async function workerOf(list: OfflineList): Promise<string> {
  const entry = join(import.meta.dirname, "src/offline/worker.ts");
  const built = await build({
    configFile: false,
    logLevel: "error",
    define: { __OFFLINE_LIST__: JSON.stringify(list) },
    build: { write: false, target: "es2023", rolldownOptions: { input: entry, output: { format: "iife" } } },
  });
  const [chunk] = "output" in built ? built.output : [];
  if (chunk?.type !== "chunk") throw new Error("The worker that keeps the page was not built.");
  return chunk.code;
}

/** A file whose name stays while its contents change. */
interface OpenFile {
  readonly file: string;
  readonly bytes: Uint8Array;
}

/** Sorted out: `named` are files with their contents in their names, `open` all others. */
export function offlineList(named: readonly string[], open: readonly OpenFile[]): Omit<OfflineList, "fresh"> {
  const isLater = (file: string) => /\.(?:wasm|mjs|woff2)$|\/ort\./.test(file) && !/-latin-wght-normal-/.test(file);
  const later = named.filter(isLater).sort();
  const kept = open.filter(({ file }) => file !== "preview.png");
  const shell = [...kept.map(({ file }) => file), ...named.filter((file) => !isLater(file))].sort();
  const digest = createHash("sha256").update(JSON.stringify(shell));
  for (const { bytes } of kept) digest.update(createHash("sha256").update(bytes).digest());
  return { version: digest.digest("hex").slice(0, 16), shell, later };
}

/** What the page fetches of a judge that ships. Models are the delivery's own to keep; a judge it has in memory alone. */
function judgeFiles(name: string): string[] {
  const folder = join(import.meta.dirname, "models", name);
  if (!existsSync(folder)) return [];
  const { graph, source, weights }: JudgeManifest = JSON.parse(readFileSync(join(folder, "judge.json"), "utf8"));
  const files = [
    "judge.json",
    "tokenizer.json",
    graph,
    ...(source ? [source.graph] : []),
    weights.index,
    ...weights.shards,
  ];
  return files.map((file) => `models/${name}/${file}`);
}

function publicFiles(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) =>
      join(parentPath, name)
        .slice(folder.length + 1)
        .replaceAll("\\", "/"),
    )
    .sort();
}
