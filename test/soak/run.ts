/**
 * `npm run soak`: the same things done again and again on the built page, and whether anything that it holds grows by it.
 * `npm run soak -- visit run` makes those alone whose names have one of the words; `--write` puts the table into docs/soak.md.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Browser, chromium } from "playwright-core";
import { preview } from "vite";
import { type Counts, countsOf, EAGER, NAMING, watchGpu } from "./counts";
import { JOURNEYS, type Journey } from "./journeys";
import { grows, slopeOf } from "./slope";

/** Share of its mean that a count may rise over a whole soak: what a browser itself keeps of the past. */
const SHARE = 0.03;
const SOFTWARE_GPU = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];

const root = join(import.meta.dirname, "../..");
const words = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const isWanted = ({ name }: Journey) => words.length === 0 || words.some((word) => name.includes(word));

interface Row {
  readonly journey: string;
  readonly count: string;
  readonly rounds: number;
  readonly line: readonly string[];
  readonly isGrown: boolean;
}

async function soak(journey: Journey, browser: Browser, address: string): Promise<Row[]> {
  const context = await browser.newContext({ serviceWorkers: "block", reducedMotion: "reduce" });
  await context.addInitScript({ content: NAMING });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  if (journey.onGpu) watchGpu(page);
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(error.message));
  const counted: Counts[] = [];
  const started = performance.now();
  try {
    await journey.begin(page, address);
    for (let number = 0; number < journey.rounds; number++) {
      await journey.round(page, number);
      if (number >= journey.first && (number - journey.first) % journey.every === 0) counted.push(await countsOf(page));
    }
  } finally {
    await journey.end?.();
    await context.close();
  }
  if (faults.length > 0) throw new Error(`${journey.name}: ${faults.join("; ")}`);
  console.log(`  ${journey.name}: ${journey.rounds} times, ${((performance.now() - started) / 1000).toFixed(0)} s`);
  const names = Object.keys(counted[0] ?? {});
  return names.map((count) =>
    rowOf(
      journey,
      count,
      counted.map((counts) => counts[count] ?? 0),
    ),
  );
}

function rowOf({ name, rounds, every }: Journey, count: string, counts: readonly number[]): Row {
  const slope = slopeOf(counts);
  const shown = (value: number) =>
    count.startsWith("bytes") ? `${(value / 1e3).toLocaleString("en", DIGITS)} kB` : value.toLocaleString("en", DIGITS);
  const [low, high] = slope.interval.map((value) => shown(value / every));
  return {
    journey: name,
    count,
    rounds,
    line: [shown(slope.mean), `${shown(slope.perRound / every)} (${low} … ${high})`],
    isGrown: grows(slope, counts.length, SHARE),
  };
}

const DIGITS = { maximumSignificantDigits: 3 };

function table(rows: readonly Row[]): string {
  const lines = rows.map(
    ({ journey, rounds, count, line, isGrown }) =>
      `| ${journey}, ${rounds} times | ${count} | ${line.join(" | ")} | ${isGrown ? "**grows**" : "flat"} |`,
  );
  return [
    "| again and again | what is counted | on average | more each time (95 % confidence) | |",
    "|---|---|---|---|---|",
    ...lines,
  ].join("\n");
}

const server = await preview({ root, logLevel: "error", preview: { port: 0, host: "localhost" } });
const browser = await chromium.launch({
  // The shell without a window measures no memory.
  executablePath: process.env.CHROMIUM || "",
  args: [
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    ...EAGER,
    ...SOFTWARE_GPU,
  ],
});
const [address = ""] = server.resolvedUrls?.local ?? [];
const rows: Row[] = [];
for (const journey of JOURNEYS.filter(isWanted)) rows.push(...(await soak(journey, browser, address)));
console.log(`\n${table(rows)}`);
if (process.argv.includes("--write")) writePage(rows, browser.version());
// Browser and server end with it.
process.exit(rows.some(({ isGrown }) => isGrown) ? 1 : 0);

/** Writes the table; rows of what did not run this time stay as they were. */
function writePage(rows: readonly Row[], version: string): void {
  const file = join(root, "docs", "soak.md");
  const linesOf = (text: string) => text.split("\n").filter((line) => /^\| an? /.test(line));
  const nameOf = (line: string) => line.split(" | ").slice(0, 2).join(" | ");
  const known = new Map(linesOf(readFileSync(file, "utf8")).map((line) => [nameOf(line), line]));
  for (const line of linesOf(table(rows))) known.set(nameOf(line), line);
  const isOf = (line: string) =>
    JOURNEYS.findIndex(({ name, rounds }) => line.startsWith(`| ${name}, ${rounds} times |`));
  const lines = [...known.values()].filter((line) => isOf(line) >= 0).sort((a, b) => isOf(a) - isOf(b));
  writeFileSync(file, pageOf([...table([]).split("\n"), ...lines].join("\n"), version));
}

function pageOf(rows: string, version: string): string {
  return `# What does not grow

\`npm run soak\` does the same things again and again on the built page and counts what it holds; this page is what it wrote last, with
Chromium ${version}. Memory is that of the page with its workers, runtime and model, after the browser has collected what nobody holds
(\`measureUserAgentSpecificMemory\`), but for what the browser shares among pages, its own compiled code. A count grows if the lower end of
its slope's interval, over all rounds, is more than ${100 * SHARE} % of its mean; then the command fails.

${rows}
`;
}
