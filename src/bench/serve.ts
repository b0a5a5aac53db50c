import { join } from "node:path";
import { createServer, defaultClientConditions, type ViteDevServer } from "vite";

const root = join(import.meta.dirname, "..", "..");

/** Serves the repository's own sources, translated one by one, so that a page can reach what the built one hides. */
export async function serveSources(): Promise<ViteDevServer> {
  const server = await createServer({
    configFile: false,
    root,
    logLevel: "error",
    appType: "mpa",
    cacheDir: "test-results/vite",
    resolve: { conditions: ["onnxruntime-web-use-extern-wasm", ...defaultClientConditions] },
    // All packages these pages use are modules already.
    optimizeDeps: { noDiscovery: true, include: [] },
    server: { port: 0, hmr: false, watch: null },
  });
  return server.listen();
}

/** Address of a file of the repository on a server that `serveSources` started. */
export function addressOf(server: ViteDevServer, path: string): string {
  return `${server.resolvedUrls?.local[0]}${path}`;
}
