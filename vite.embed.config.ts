import { defaultClientConditions, defineConfig } from "vite";

/**
 * Builds `<elf-playground>` into a folder that may be put anywhere, `dist/embed/`: the script that pages name, and beside it
 * the parts that it fetches when they are wanted, by addresses relative to its own.
 */
export default defineConfig({
  base: "./",
  publicDir: false,
  resolve: {
    // A tenth of React's size, for a script that comes along in other people's pages.
    alias: {
      "react-dom/client": "preact/compat/client",
      "react-dom": "preact/compat",
      "react/jsx-runtime": "preact/jsx-runtime",
      react: "preact/compat",
    },
    conditions: ["onnxruntime-web-use-extern-wasm", ...defaultClientConditions],
  },
  worker: { format: "es", rolldownOptions: { output: { entryFileNames: "[name]-[hash].js" } } },
  build: {
    outDir: "dist/embed",
    emptyOutDir: true,
    target: "es2023",
    // Those that have light-dark() themselves: what a build puts in its place follows the system's colour scheme only, not that
    // of the element.
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    // The page around has an opinion on what is fetched when.
    modulePreload: false,
    chunkSizeWarningLimit: 1000,
    rolldownOptions: {
      input: { "elf-playground": "src/embed/main.ts", embed: "embed.html" },
      preserveEntrySignatures: "allow-extension",
      output: {
        entryFileNames: ({ name }) => (name === "elf-playground" ? "[name].js" : "[name]-[hash].js"),
        // Beside the script: parts of it find the models by where they lie.
        chunkFileNames: "[name]-[hash].js",
        assetFileNames: "[name]-[hash][extname]",
      },
    },
  },
});
