import { command } from "../../../src/cli/testing/command";
import { page } from "./markdown";

/** The npm package's command, as it tells of itself. */
export async function commandPage(): Promise<string> {
  const asked = [["--help"], ["generate", "--help"], ["serve", "--help"], ["trace", "--help"]];
  const told: string[] = [];
  for (const words of asked) told.push((await command(...words)).out);
  const parts = asked.flatMap((words, at) => [
    words.length > 1 ? `## elf-playground ${words[0]}` : "",
    `\`\`\`text\n${told[at]?.trimEnd()}\n\`\`\``,
  ]);
  const lead = `The command of the npm package: \`npx elf-playground\` where that is installed, \`npm run -s generate\` for the first of
them in this repository. Exit code 2 says that the command line is at fault, 1 that something else is; both come with the
[error's name](./errors.md) and what to do.`;
  return page("The command elf-playground", lead, ...parts);
}
