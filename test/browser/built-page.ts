import { build, defaultClientConditions, preview } from "vite";

export interface PageBuild {
  /** Folder of the page's `index.html`. */
  readonly root: string;
  readonly outDir: string;
  /** Modules that stand in for others. */
  readonly alias?: Readonly<Record<string, string>>;
}

/** Builds a page that only the tests open, as the product's own page is built; it is no part of what ships. */
export async function buildPage({ root, outDir, alias = {} }: PageBuild): Promise<void> {
  await build({
    configFile: false,
    root,
    base: "./",
    logLevel: "error",
    resolve: { alias, conditions: ["onnxruntime-web-use-extern-wasm", ...defaultClientConditions] },
    css: { modules: { localsConvention: "camelCaseOnly" } },
    worker: { format: "es" },
    // Browsers that have light-dark() themselves: what a build puts in its place follows the system's colour scheme only, not
    // that of the element which a player stands in.
    build: { outDir, emptyOutDir: true, target: "es2023", cssTarget: ["chrome123", "firefox120", "safari17.5"] },
  });
}

/** Serves a built page on a free port. */
export async function servePage({ root, outDir }: PageBuild): Promise<{ url: string; close(): Promise<void> }> {
  const server = await preview({
    configFile: false,
    root,
    logLevel: "error",
    build: { outDir },
    preview: { port: 0, host: "127.0.0.1" },
  });
  const [url] = server.resolvedUrls?.local ?? [];
  if (url === undefined) throw new Error("The server of the tests' page has no address.");
  return { url, close: () => server.close() };
}
