import { buildPage, servePage } from "../built-page";

/** Stand-ins for React, by the names that the views and their libraries ask for. */
const BY_PREACT = {
  "react-dom/client": "preact/compat/client",
  "react-dom": "preact/compat",
  "react/jsx-runtime": "preact/jsx-runtime",
  react: "preact/compat",
};

/** Builds the page with the two players, with React or with Preact in its place. */
export async function buildPlayers(views: "react" | "preact", outDir: string): Promise<void> {
  await buildPage({ root: import.meta.dirname, outDir, alias: views === "preact" ? BY_PREACT : {} });
}

export function servePlayers(outDir: string): ReturnType<typeof servePage> {
  return servePage({ root: import.meta.dirname, outDir });
}
