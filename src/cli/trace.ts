/** `elf-playground trace`: what a recorded run holds. */
import { readFileSync } from "node:fs";
import { gammaCurveText } from "../flow/gammaCurve";
import { type Recipe, rootOf } from "../flow/recipe";
import { type RecordedRun, readTrace } from "../format/trace";
import { readWords, UsageError } from "./options";

const HELP = `usage: elf-playground trace FILE [OPTIONS]

Reads a recorded run (elf-playground generate --trace FILE) and tells what it holds; a file that is none is refused with
the place that is wrong.

  --json  print one JSON object with model, settings, towards, prompt, forks, frames, text
  --help  print this and exit`;

export async function runTrace(argv: readonly string[]): Promise<void> {
  const { values, positionals } = readWords(argv, { json: { type: "boolean" } }, true);
  if (values.help) {
    process.stdout.write(`${HELP}\n`);
    return;
  }
  const [file, ...more] = positionals;
  if (file === undefined || more.length > 0) throw new UsageError("One recorded run is read at a time.");
  const facts = factsOf(readTrace(contentOf(file)));
  process.stdout.write(values.json ? `${JSON.stringify(facts)}\n` : `${described(facts)}\n`);
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new UsageError(`${file} cannot be read.`, "Record a run with elf-playground generate --trace FILE.", {
      cause,
    });
  }
}

/** What of a recording is worth telling. */
function factsOf({ title, text, trajectory, pieces }: RecordedRun) {
  const { model, settings, frames, times, held = [] } = trajectory;
  return {
    model,
    title,
    settings,
    towards: rootOf(trajectory).towards ?? null,
    prompt: rootOf(trajectory).prompt ?? null,
    held: held.map(({ position, token }) => ({ position: position + 1, token, piece: pieces[token] ?? "" })),
    /** The step that each run was left at for the next, from noise on. */
    forks: forksOf(trajectory),
    frames: frames.length,
    steps: times.length - 1,
    text,
  };
}

function forksOf({ from }: Recipe): number[] {
  return from ? [...forksOf(from.run), from.step] : [];
}

function described({
  title,
  model,
  settings,
  towards,
  prompt,
  held,
  forks,
  frames,
  steps,
  text,
}: ReturnType<typeof factsOf>) {
  const { method, gamma, gammaCurve, selfCondScale, cfgScale, schedule, seed } = settings;
  const words = held.map(({ position, piece }) => `${piece.replace("▁", "")} at ${position}`);
  const lines = [
    `model     ${title} (${model})`,
    `steps     ${steps}, ${frames} frames recorded`,
    `sampler   ${method.toUpperCase()}${method === "sde" ? ` γ ${gammaCurve ? gammaCurveText(gammaCurve) : gamma}` : ""}, w ${selfCondScale}, ω ${cfgScale}, ${schedule}, seed ${seed}`,
    ...(towards ? [`start     weight ${towards.weight} towards the noise of seed ${towards.seed}`] : []),
    ...(prompt ? [`prompt    ${"text" in prompt ? prompt.text : `tokens ${prompt.ids.join(", ")}`}`] : []),
    ...(words.length > 0 ? [`held      ${words.join(", ")}`] : []),
    ...(forks.length > 0 ? [`goes on   from step ${forks.join(", then from step ")}`] : []),
    "",
    text,
  ];
  return lines.join("\n");
}
