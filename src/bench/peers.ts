/**
 * `npm run peers`: one run of one model by the page's loop in a browser, by the same loop on ONNX Runtime's native build for Node
 * (`native.ts`), and by everything that can compute it in Python (`elf bench peers`), on one machine, from the same weights. They have to write the same tokens. `--write` puts the table into
 * docs/peers.md; other words go to `elf bench peers`: `--growth`, `--steps 16`.
 */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { type Growth, growthPlot } from "./growthPlot";
import type { PeerFigures } from "./measure";
import { addressOf, serveSources } from "./serve";

const root = join(import.meta.dirname, "..", "..");
const MODEL = "models/stories";
const words = process.argv.slice(2).filter((word) => word !== "--write");

/** What `elf bench peers --json` prints. */
interface Report {
  readonly model: string;
  readonly parameters: number;
  readonly steps: number;
  readonly repeats: number;
  readonly seed: number;
  readonly selfCondScale: number;
  readonly length: number;
  readonly peers: readonly PeerFigures[];
  readonly growth?: Growth;
}

function inPython(): Report {
  const elf = join(root, "scripts", "elf.mjs");
  const args = [elf, "bench", "peers", join(root, MODEL), "--json", ...words];
  const { status, stdout } = spawnSync(process.execPath, args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (status !== 0) process.exit(status ?? 1);
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
}

async function inBrowser({ steps, repeats, seed, selfCondScale }: Report): Promise<PeerFigures> {
  const server = await serveSources();
  const browser = await chromium.launch({
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--headless=new"],
    ...(process.env.CHROMIUM ? { executablePath: process.env.CHROMIUM } : {}),
  });
  try {
    const page = await browser.newPage();
    await page.goto(addressOf(server, "src/bench/page.html"));
    await page.waitForFunction(() => "bench" in window);
    return await page.evaluate(([url, settings, times]) => window.bench.asPeer(url, settings, times), [
      addressOf(server, `${MODEL}/`),
      { steps, seed, selfCondScale },
      repeats,
    ] as const);
  } finally {
    await browser.close();
    await server.close();
  }
}

/** On the native build for Node, of which only this needs to know how it is started. */
function inNode({ steps, repeats, seed, selfCondScale }: Report): PeerFigures {
  const program = join(import.meta.dirname, "native.ts");
  const words = [program, join(root, MODEL), JSON.stringify({ steps, seed, selfCondScale }), String(repeats)];
  const { status, stdout } = spawnSync(join(root, "node_modules", ".bin", "tsx"), words, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (status !== 0) process.exit(status ?? 1);
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
}

const report = inPython();
const peers = [await inBrowser(report), inNode(report), ...report.peers];
const isSame = new Set(peers.map(({ tokens }) => tokens.join())).size === 1;
const text = table(peers);
console.log(text);
if (process.argv.includes("--write")) {
  writeFileSync(join(root, "docs", "peers.md"), page(text));
  if (report.growth) writeFileSync(join(root, "docs", "growth.svg"), growthPlot(report.growth));
}
// What Chromium started ends with it.
process.exit(isSame ? 0 : 1);

function table(rows: readonly PeerFigures[]): string {
  const [own] = rows;
  const lines = rows.map(({ peer, stepSeconds, firstTextSeconds, loadSeconds, peakBytes }) => {
    const ratio = own ? (stepSeconds / own.stepSeconds).toFixed(2) : "";
    const memory = peakBytes === null ? "" : `${Math.round(peakBytes / 1e6)} MB`;
    const seconds = (value: number) => `${value.toFixed(1)} s`;
    return `| ${peer} | ${(1000 * stepSeconds).toFixed(0)} ms | ${ratio} | ${seconds(firstTextSeconds)} | ${seconds(loadSeconds)} | ${memory} |`;
  });
  return [
    "| | a step | of the page's | first text | loading | memory |",
    "|---|---|---|---|---|---|",
    ...lines,
    "",
    isSame ? "All wrote the same tokens." : "**They did not all write the same tokens.**",
  ].join("\n");
}

function growthTable({ growth = {} }: Report): string {
  const lines = Object.entries(growth).map(([name, { points, exponent }]) => {
    const measured = points.map(
      ([x, seconds]) =>
        `${x.toLocaleString("en")}: ${(1000 * seconds).toLocaleString("en", { maximumFractionDigits: 0 })} ms`,
    );
    return `| ${name} | ${exponent.toFixed(2)} | ${measured.join(", ")} |`;
  });
  if (lines.length === 0) return "";
  return `
## How time grows

A pass of the network in JAX, in float32, against positions and samples (the shape of \`${report.model}\`), against weights (random
ones, 128 positions), and a whole run against its steps. The exponent *a* is that of time ∝ *x*ᵃ, by least squares of the logarithms:
below 1 small sizes leave the processor idle, and above 1 attention, whose cost grows with the square, begins to show.

![How time grows: ${Object.entries(growth)
    .map(([name, { exponent }]) => `against ${name} by the exponent ${exponent.toFixed(2)}`)
    .join(", ")}](./growth.svg)

| against | exponent | measured |
|---|---|---|
${lines.join("\n")}
`;
}

function page(rows: string): string {
  const { model, parameters, length, steps, repeats } = report;
  return `# Beside its peers

\`npm run peers\` writes one run of \`${model}\` (${(parameters / 1e6).toFixed(1)} million parameters, ${length} positions, ${steps} steps of the
SDE) by everything here that can compute it, from the same weights and noise, each by itself; this page is what it wrote last, on
${cpus().length} cores (${cpus()[0]?.model ?? "unknown"}). *A step* is the median of ${repeats} runs, *first text* the first run, compilation
included, *memory* the most that the process ever had (the browser's is not told). The page computes in wasm, on one thread where it is not
isolated, as here.

${rows}
${growthTable(report)}`;
}
