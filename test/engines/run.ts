/** `npm run engines [-- Firefox …]`: one visit in each engine of browsers that there is here, on the built page, and what came of it. */
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
  readonly text: string;
  readonly seconds: number;
}

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
  const report = { engine: engine.name, version: "", text: "" };
  const tab = await engine.start();
  try {
    report.version = tab.version;
    for (const [number, step] of STEPS.entries()) {
      try {
        await step.take(tab, { page, widget, stopServer });
      } catch (error) {
        const seen = await tab.read<string>("document.body.innerText").catch(() => "nothing");
        const fault = `${step.name}: ${String(error)}; the page says “${seen.replace(/\s+/g, " ").slice(0, 200)}”`;
        return { ...report, fault, seconds: since(started) };
      }
      if (number === 1) report.text = await writtenText(tab);
      console.log(`  ✓ ${engine.name}: ${step.name}`);
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
const named = process.argv.slice(2);
const isWanted = ({ name, program }: Engine) => program !== undefined && (named.length === 0 || named.includes(name));
for (const engine of all.filter(isWanted)) reports.push(await visit(engine));
const texts = new Set(reports.filter(({ fault }) => fault === undefined).map(({ text }) => text));

console.log("");
for (const { engine, version, fault, seconds } of reports) {
  console.log(`${fault === undefined ? "passed" : "FAILED"}  ${engine.padEnd(9)} ${version}, ${seconds.toFixed(0)} s`);
  if (fault !== undefined) console.log(`        ${fault}`);
}
for (const { name } of absent) console.log(`left out ${name}: it is not installed here, and could not be.`);
if (texts.size > 1)
  console.log(`FAILED  One seed wrote ${texts.size} texts: ${[...texts].map((text) => `“${text}”`).join(", ")}`);
process.exit(reports.some(({ fault }) => fault !== undefined) || texts.size > 1 ? 1 : 0);
