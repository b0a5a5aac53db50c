import { readFileSync } from "node:fs";
import { join } from "node:path";
import { OPTIONS } from "../../../src/cli/options";
import { SETTING_CHOICES, SETTING_LIMITS, type SettingLimits } from "../../../src/flow/settings";
import { linkTo } from "../../../src/format/link";
import { LINK_FIELDS } from "../../../src/format/linkFields";
import { settingsSchema } from "../../../src/format/settingsSchema";
import { readTrace } from "../../../src/format/trace";
import { page, prose, table } from "./markdown";
import { below, commentOf, type Node, parseFile, root } from "./sources";

/** What a link says besides settings. */
const OTHER_FIELDS: Record<string, string> = {
  from: "the frame of the run before, counted from noise, that this part goes on from",
  prompt: "the text that the model writes to, escaped, in braces",
  ids: "the same as numbers of tokens, joined by `+`",
  towards: "the seed whose noise the run starts towards; it goes with `weight`",
  weight: "how far towards it, 0 to 1",
  back: "the tokens of the text whose noise the run starts from, one for every position behind the prompt, joined by `+`",
  hold: "words that are held, as `position=token` from 0, joined by `+`",
};

export function settingsPage(): string {
  const comments = commentsOf("src/flow/settings.ts", "SamplerSettings");
  const rows = Object.keys(settingsSchema.shape).map((name) => {
    const option = OPTIONS.find(
      (one) => one.setting === name || (name === "gammaCurve" && one.name === "gamma-curve"),
    )?.name;
    return [`\`${name}\``, valuesOf(name), option ? `\`--${option}\`` : "–", comments.get(name) ?? ""];
  });
  const fields = LINK_FIELDS.filter((name) => !(name in settingsSchema.shape)).map((name) => {
    const what = OTHER_FIELDS[name];
    if (!what) throw new Error(`Nothing is said of the field ${name} of a link.`);
    return [`\`${name}\``, what];
  });
  const recorded = readTrace(readFileSync(join(root, "docs/public/traces/noise.json"), "utf8"));
  const link = linkTo(recorded.trajectory);
  return page(
    "Settings and links",
    "Everything that decides a run besides its model: the sampler's settings, a prompt, the noise that it starts from, words that are held, and the run that it goes on from.",
    "## Settings",
    `What is left out is the model's own: its \`defaults\` ([manifest.json](./files.md)). The page, the element's
\`generate({ settings })\`, the package and the command line take the same; the last under names of their own.`,
    table(["setting", "values", "option", ""], rows),
    "A run without a prompt has `cfgScale` 1, whatever the model's own is. A run that goes on from another keeps its `length`.",
    "## Links",
    `The page copies a link to the run shown; the element takes the same in \`recipe\`. Behind the \`#\`, which no server sees, it spells
out a [recipe](./files.md): fields as \`name:value\`, joined by commas, and a part for each run that another goes on from, joined by
\`;\`. A part that goes on says only what it changes.`,
    `\`\`\`text\n${link}\n\`\`\``,
    "Every setting is a field by its own name. Besides there are:",
    table(["field", ""], fields),
    `What mail programs, chats and trackers do to links is undone where only one run can have been meant; a link that is broken is
refused, and the page stays as it is.`,
  );
}

function valuesOf(name: string): string {
  if (name === "gammaCurve") return "1 to 8 pairs [t, γ]; in links and commands `t=γ`, joined by `+`";
  if (name in SETTING_CHOICES) {
    const choices: readonly string[] = SETTING_CHOICES[name as keyof typeof SETTING_CHOICES];
    return choices.map((choice) => `\`${choice}\``).join(" or ");
  }
  const limits: SettingLimits | undefined = { ...SETTING_LIMITS }[name as keyof typeof SETTING_LIMITS];
  if (!limits) return "integer, from 1 to the model's `maxLength`";
  return `${limits.integer ? "integer" : "number"}, from ${limits.least} to ${limits.greatest}`;
}

/** Doc comments of an interface's fields. */
function commentsOf(path: string, name: string): Map<string, string> {
  const file = parseFile(join(root, path));
  const found = [...below(file.body)].find(
    ({ type, id }) => type === "TSInterfaceDeclaration" && (id as Node).name === name,
  );
  const members = ((found?.body as Node | undefined)?.body ?? []) as Node[];
  return new Map(members.map((member) => [String((member.key as Node).name), prose(commentOf(file, member))]));
}
