// `npm start`: installs what is missing and opens the page. Further words go to Vite: `npm start -- --port 8080 --host`.
import { join } from "node:path";
import { ensureNodeModules, root } from "./node-modules.mjs";
import { run } from "./run.mjs";

await ensureNodeModules();
const vite = join(root, "node_modules", "vite", "bin", "vite.js");
// Where there is no screen there is no browser to open; the address is printed either way.
const headless = process.platform === "linux" && !process.env.DISPLAY && !process.env.WAYLAND_DISPLAY;
const open = headless ? [] : ["--open"];
process.exit(await run(process.execPath, [vite, ...open, ...process.argv.slice(2)], { cwd: root }));
