import { build, preview } from "vite";

/** Stand-ins for React, by the names that the views and their libraries ask for. */
const BY_PREACT = {
  "react-dom/client": "preact/compat/client",
  "react-dom": "preact/compat",
  "react/jsx-runtime": "preact/jsx-runtime",
  react: "preact/compat",
};

/** Builds the page with the two players, with React or with Preact in its place; it is no part of what ships. */
export async function buildPlayers(views: "react" | "preact", outDir: string): Promise<void> {
  await build({
    configFile: false,
    root: import.meta.dirname,
    base: "./",
    logLevel: "error",
    resolve: { alias: views === "preact" ? BY_PREACT : {} },
    // Browsers that have light-dark() themselves: what a build puts in its place follows the system's colour scheme only, not
    // that of the element which a player stands in.
    build: { outDir, emptyOutDir: true, target: "es2023", cssTarget: ["chrome123", "firefox120", "safari17.5"] },
  });
}

/** Serves a built page on a free port. */
export async function servePlayers(outDir: string): Promise<{ url: string; close(): Promise<void> }> {
  const server = await preview({
    configFile: false,
    root: import.meta.dirname,
    logLevel: "error",
    build: { outDir },
    preview: { port: 0, host: "127.0.0.1" },
  });
  const [url] = server.resolvedUrls?.local ?? [];
  if (url === undefined) throw new Error("The server of the players' page has no address.");
  return { url, close: () => server.close() };
}
