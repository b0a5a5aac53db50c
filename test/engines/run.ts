/**
 * `npm run engines [-- Firefox …]`: one visit in each engine of browsers that there is here, on the built page, and what came of it;
 * with `--write` as a table in docs/engines.md, too. `--others` leaves out Chromium, in which all else is tested.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { preview } from "vite";
import { EmbedHost } from "../browser/embed-host";
import { type Engine, engines } from "./browsers";
import { STEPS, writtenText } from "./journey";

const root = join(import.meta.dirname, "../..");

interface Report {
  readonly engine: Engine["name"];
  readonly version: string;
  /** The step that failed, and how; undefined where all went well. */
  readonly fault?: string;
  /** Whether there was no browser any more when it failed, which says more about that than about the page. */
  readonly isGone?: boolean;
  /** What came of each step that was taken: nothing to be said, or what the browser has less. */
  readonly steps: readonly (string | undefined)[];
  readonly text: string;
  readonly seconds: number;
}

/** What stands on the page, an alert before all else. */
const SEEN =
  "[...document.querySelectorAll('[role=alert], [data-testid=keeping]'), document.body].map((seen) => seen.innerText).join(' … ')";

async function visit(engine: Engine): Promise<Report> {
  const started = performance.now();
  const server = await preview({ root, logLevel: "error", preview: { port: 0, host: "localhost" } });
  const host = await EmbedHost.start();
  const [page = ""] = server.resolvedUrls?.local ?? [];
  const widget = host.page(
    "widget",
    '<elf-playground trace="/traces/stories.json" model="tiny-model"></elf-playground>',
  );
  let isServed = true;
  const stopServer = async () => {
    isServed = false;
    await server.close();
  };
  const steps: (string | undefined)[] = [];
  const report = { engine: engine.name, version: "", text: "", steps };
  const tab = await engine.start();
  try {
    report.version = tab.version;
    for (const [number, step] of STEPS.entries()) {
      try {
        steps.push((await step.take(tab, { page, widget, stopServer })) ?? undefined);
      } catch (error) {
        const seen = await tab.read<string>(SEEN).catch(() => undefined);
        const said =
          seen === undefined ? "the browser is gone" : `the page says “${seen.replace(/\s+/g, " ").slice(0, 600)}”`;
        const fault = `${step.name}: ${String(error)}; ${said}`;
        return { ...report, fault, isGone: seen === undefined, seconds: since(started) };
      }
      if (number === 1) report.text = await writtenText(tab);
      console.log(`  ✓ ${engine.name}: ${steps[number] ?? step.name}`);
    }
    return { ...report, seconds: since(started) };
  } finally {
    await tab.close();
    if (isServed) await server.close();
    await host.stop();
  }
}

function since(started: number): number {
  return (performance.now() - started) / 1000;
}

const all = engines();
const absent = all.filter(({ program }) => program === undefined);
const reports: Report[] = [];
const named = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const isAsked = (name: Engine["name"]) => named.length === 0 || named.includes(name);
const isWanted = ({ name, program }: Engine) =>
  program !== undefined && isAsked(name) && !(name === "Chromium" && process.argv.includes("--others"));
for (const engine of all.filter(isWanted)) {
  const first = await visit(engine);
  // One that ends beside other work may do so before it has loaded anything. A page that ends it does so again.
  if (first.isGone) console.log(`  … ${first.fault}. Once more:`);
  reports.push(first.isGone ? await visit(engine) : first);
}
const texts = new Set(reports.filter(({ fault }) => fault === undefined).map(({ text }) => text));

console.log("");
for (const { engine, version, fault, seconds } of reports) {
  console.log(`${fault === undefined ? "passed" : "FAILED"}  ${engine.padEnd(9)} ${version}, ${seconds.toFixed(0)} s`);
  if (fault !== undefined) console.log(`        ${fault}`);
}
for (const { name } of absent)
  console.log(`left out  ${name}: it is not installed here (npm run engines installs it where it may).`);
if (texts.size > 1)
  console.log(`FAILED  One seed wrote ${texts.size} texts: ${[...texts].map((text) => `“${text}”`).join(", ")}`);
if (process.argv.includes("--write")) writeFileSync(join(root, "docs", "engines.md"), pageOf(reports));
process.exit(reports.some(({ fault }) => fault !== undefined) || texts.size > 1 ? 1 : 0);

function pageOf(reports: readonly Report[]): string {
  const rows = STEPS.map(({ name }, number) => {
    const cells = reports.map(({ steps }) => (number < steps.length ? (steps[number] ?? "yes") : "**no**"));
    return `| ${[name, ...cells].join(" | ")} |`;
  });
  const heads = reports.map(({ engine, version }) => `${engine} (${version.replace("/", " ")})`);
  return `# In which browsers

\`npm run engines\` goes through one visit in every engine that it finds or may install; this table is what it wrote last. All wrote the
same words from one seed. WebKit is WebKitGTK's, which has no WebGPU and no file system for pages; Safari was not tried. In these
visits models run in wasm: WebGPU has [tests of its own](./contributing.md#how-tests-are-run) in Chromium.

| | ${heads.join(" | ")} |
|---|${heads.map(() => "---").join("|")}|
${rows.join("\n")}
`;
}
