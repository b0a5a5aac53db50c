/**
 * `npm run load`: the built page with a thousand runs and with the longest run, how long it takes to answer there, and what it holds.
 * `npm run load -- runs tokens` looks at those situations alone whose names have one of the words; `--write` puts the tables into
 * docs/load.md. `LONG_MODEL` names the folder of a model that writes 1,024 tokens.
 */
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium } from "playwright-core";
import { preview } from "vite";
import { parseManifest } from "../../src/format/manifest";
import { planMemory } from "../../src/runtime/memoryPlan";
import { countsOf, EAGER, NAMING } from "../soak/counts";
import { answersOf, watchInteractions } from "./interactions";
import { SITUATIONS, type Situation } from "./situations";

/** Milliseconds in which an answer is felt as one. */
const AT_ONCE = 100;
const BATCH = 64;

const root = join(import.meta.dirname, "../..");
const words = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const isWanted = (name: string) => words.length === 0 || words.some((word) => name.includes(word));

interface Row {
  readonly line: readonly (string | number)[];
  readonly isMet: boolean;
}

/** Puts the model beside the page that no page is published with. */
async function serveLongModel(context: BrowserContext): Promise<void> {
  const folder = process.env.LONG_MODEL;
  if (!folder) return;
  await context.route(/\/models\/long\/(.*)$/, (route) =>
    route.fulfill({ path: join(folder, new URL(route.request().url()).pathname.split("/models/long/")[1] ?? "") }),
  );
}

async function under(situation: Situation, browser: Browser, address: string): Promise<{ rows: Row[]; memory: Row }> {
  const context = await browser.newContext({ serviceWorkers: "block", viewport: { width: 1280, height: 900 } });
  await context.addInitScript({ content: NAMING });
  await serveLongModel(context);
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  await watchInteractions(page);
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(error.message));
  const rows: Row[] = [];
  try {
    await situation.begin(page, address);
    await answersOf(page, 0);
    for (const deed of situation.deeds) {
      const { interactions, slowest, longestTask } = await answersOf(page, await deed.do(page));
      const line = [situation.name, deed.name, interactions, slowest, Math.round(longestTask)];
      rows.push({ line, isMet: slowest <= AT_ONCE });
      console.log(`  ${line.join(" · ")}`);
    }
    const alerts = await page.getByRole("alert").allTextContents();
    if (alerts.length > 0 || faults.length > 0) throw new Error([...alerts, ...faults].join(" "));
    const { "bytes of memory": bytes = 0 } = await countsOf(page);
    const { plan } = situation;
    const memory = {
      line: [situation.name, megabytes(plan.bytes), plan.why, megabytes(bytes)],
      isMet: bytes <= plan.bytes,
    };
    return { rows, memory };
  } finally {
    await context.close();
  }
}

/** What the command's samples in one batch take beyond a single one, beside the plan. */
async function batch(): Promise<Row> {
  const model = join(root, "models", "stories");
  const manifest = parseManifest(readFileSync(join(model, "manifest.json"), "utf8"));
  const { length } = manifest.defaults;
  const planned = (samples: number) => {
    const run = { dtype: manifest.defaultDtype, backend: "wasm", length, batch: samples } as const;
    return planMemory(manifest, run, { limits: null, deviceBytes: null }).bytes;
  };
  const plan = planned(BATCH) - planned(1);
  const held = (await highestWhile(model, BATCH)) - (await highestWhile(model, 1));
  const line = [
    `${BATCH} samples in a batch, in Node`,
    megabytes(plan),
    "more than one sample, by `memoryPlan.ts`",
    megabytes(held),
  ];
  return { line, isMet: held <= plan };
}

/** The most bytes that the command ever held while it wrote so many samples. */
async function highestWhile(model: string, samples: number): Promise<number> {
  const words = ["generate", "--model", model, "--batch", `${samples}`, "--steps", "8"];
  const program = ["--import", "tsx", join(root, "src/cli/main.ts"), ...words];
  const child = spawn(process.execPath, program, { cwd: root, stdio: ["ignore", "ignore", "inherit"] });
  let most = 0;
  const watch = setInterval(() => {
    most = Math.max(most, highestOf(child.pid));
  }, 100);
  const code = await new Promise((resolve) => child.on("exit", resolve));
  clearInterval(watch);
  if (code !== 0) throw new Error(`The command ended with ${code}.`);
  return most;
}

/** The most bytes that a process has held; 0 where the system does not tell. */
function highestOf(pid: number | undefined): number {
  try {
    const [, kilobytes = "0"] = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return 1024 * Number(kilobytes);
  } catch {
    return 0;
  }
}

const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;

function table(heads: readonly string[], rows: readonly Row[]): string {
  const lines = rows.map(({ line, isMet }) => `| ${line.join(" | ")} | ${isMet ? "yes" : "**no**"} |`);
  return [`| ${heads.join(" | ")} |`, `|${heads.map(() => "---").join("|")}|`, ...lines].join("\n");
}

const server = await preview({ root, logLevel: "error", preview: { port: 0, host: "localhost" } });
const browser = await chromium.launch({
  // The shell without a window measures no memory.
  executablePath: process.env.CHROMIUM || "",
  args: ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-background-networking", ...EAGER],
});
const [address = ""] = server.resolvedUrls?.local ?? [];
const answers: Row[] = [];
const memory: Row[] = [];
for (const situation of SITUATIONS.filter(({ name }) => isWanted(name))) {
  const { rows, memory: held } = await under(situation, browser, address);
  answers.push(...rows);
  memory.push(held);
}
if (isWanted("batch")) memory.push(await batch());
const tables = [
  table(
    ["where", "what is done", "presses", "slowest answer, ms", "longest task, ms", `within ${AT_ONCE} ms`],
    answers,
  ),
  table(["where", "plan", "because", "held", "kept to"], memory),
] as const;
console.log(`\n${tables.join("\n\n")}`);
if (process.argv.includes("--write")) writeFileSync(join(root, "docs", "load.md"), pageOf(tables, browser.version()));
// Browser and server end with it.
process.exit([...answers, ...memory].every(({ isMet }) => isMet) ? 0 : 1);

function pageOf([answers, memory]: readonly [string, string], version: string): string {
  return `# With much of everything

\`npm run load\` looks at the built page with a thousand runs on its shelf and with a long run, 1,024 tokens by 256 steps, and at the command with a
batch of ${BATCH}; this page is what it wrote last, with Chromium ${version} in software on two cores. An answer is the time from a press to
the picture that shows its effect, as the browser tells it (Event Timing, in steps of 8 ms); of fifty one may be slower, as web.dev's
INP has it. The thousand runs are the recorded one of \`stories\`, each time of another seed, dropped on the page as files of a shelf; the
long run is by a model of random weights.

${answers}

Memory is that of the page with its workers, runtime and model (\`measureUserAgentSpecificMemory\`), and of the command the most that it
ever held.

${memory}

The shelf keeps a thousand runs, and no more than 400 MB of frames, in the browser's database; for more the oldest go. Of those it has
the cards, and the frames of the runs that are looked at and of as many others as 64 MB hold, those looked at last.
`;
}
