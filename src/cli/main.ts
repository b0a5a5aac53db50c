#!/usr/bin/env node
/** The command `elf-playground`, and `npm run generate`: finds a command's module and reports named errors. */
import { SourceError } from "../delivery/sources";
import { ConditionError, ElfError, SettingsError } from "../flow/errors";
import { UsageError } from "./options";

/** A module is read only when its command runs: the runtime takes its time. */
const COMMANDS: Record<string, { readonly does: string; readonly run: (argv: readonly string[]) => Promise<void> }> = {
  generate: {
    does: "write a text from noise, or go on from a recorded run",
    run: async (argv) => (await import("./generate")).runGenerate(argv),
  },
  serve: {
    does: "serve a folder of models or a built page, with the headers that it needs",
    run: async (argv) => (await import("./serve")).runServe(argv),
  },
  trace: {
    does: "tell what a recorded run holds, or what is wrong with it",
    run: async (argv) => (await import("./trace")).runTrace(argv),
  },
};

const USAGE = [
  "usage: elf-playground COMMAND [OPTIONS]",
  "",
  ...Object.entries(COMMANDS).map(([name, { does }]) => `  ${name.padEnd(10)}${does}`),
  "",
  "elf-playground COMMAND --help lists the options of one.",
].join("\n");

// Whoever reads may stop (`… | head -1`): what else there is to write is written still.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}
process.exitCode = await main(process.argv.slice(2));

/** Exit code 2 says that the command line is at fault, 1 that something else is. */
async function main([name, ...argv]: readonly string[]): Promise<number> {
  if (name === undefined || name === "--help" || name === "-h") {
    process.stdout.write(`${USAGE}\n`);
    return name === undefined ? 2 : 0;
  }
  try {
    const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (!command) {
      throw new UsageError(`There is no command ${name}.`, `Choose from: ${Object.keys(COMMANDS).join(", ")}.`);
    }
    await command.run(argv);
    return 0;
  } catch (error) {
    if (!(error instanceof ElfError)) throw error;
    process.stderr.write(`${error.name}: ${error.message} ${error.action}\n`);
    return [UsageError, SettingsError, ConditionError, SourceError].some((fault) => error instanceof fault) ? 2 : 1;
  }
}
