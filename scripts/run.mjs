// Start a program and wait for it; the one way these scripts run anything.
import { spawn } from "node:child_process";

/** Runs `command` with the terminal's own input and output. Resolves with its exit code; 127 when it can't be started. */
export function run(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: "inherit", ...options });
    child.on("error", (error) => {
      console.error(`${command}: ${error.message}`);
      resolve(127);
    });
    child.on("exit", (code, signal) => resolve(code ?? (signal === "SIGINT" ? 130 : 143)));
  });
}

/** Runs `command` like `run`, but puts what it writes, as buffers, into `kept` instead of onto the terminal. */
export function runKept(command, args, options, kept) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => kept.push(chunk));
    child.on("error", (error) => {
      kept.push(Buffer.from(`${command}: ${error.message}\n`));
      resolve(127);
    });
    child.on("close", (code) => resolve(code ?? 143));
  });
}

/** Runs `command` and stops this script with its exit code and `message` when it fails. */
export async function must(message, command, args, options) {
  const code = await run(command, args, options);
  if (code !== 0) {
    console.error(`\n${message}`);
    process.exit(code);
  }
}
