/** `elf-playground serve`: a folder over http, as the page, the element and downloads that break off want it. */
import { statSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { resolve } from "node:path";
import sirv from "sirv";
import { readWords, UsageError } from "./options";

const HELP = `usage: elf-playground serve [FOLDER] [OPTIONS]

Serves a folder: models that elf export wrote, or a built page. Answers Range requests, lets pages from elsewhere read
(CORS), and isolates pages, so that WebAssembly has threads there.

  --port PORT  [8080]; 0 takes any that is free
  --host HOST  who may ask: this machine alone [127.0.0.1], or everybody (0.0.0.0)
  --help       print this and exit`;

const HEADERS = {
  "Access-Control-Allow-Origin": "*",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "cross-origin",
  "X-Content-Type-Options": "nosniff",
  // Models are written again while one works on them.
  "Cache-Control": "no-cache",
};

export async function runServe(argv: readonly string[]): Promise<void> {
  const { values, positionals } = readWords(argv, { port: { type: "string" }, host: { type: "string" } }, true);
  if (values.help) {
    process.stdout.write(`${HELP}\n`);
    return;
  }
  const [folder = ".", ...more] = positionals;
  if (more.length > 0) throw new UsageError("One folder is served at a time.", "Name the folder above both.");
  const port = Number(values.port ?? 8080);
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new UsageError(`--port is ${values.port}.`, "Give a number from 0 to 65535.");
  }
  const host = values.host ?? "127.0.0.1";
  const server = await serve(folder, port, host);
  process.stdout.write(`${resolve(folder)} at ${addressOf(server, host)} until Ctrl+C\n`);
}

/** Where a browser on this machine finds what listens at `host`. */
export function addressOf(server: Server, host: string): string {
  const { port } = server.address() as AddressInfo;
  const isLocal = ["127.0.0.1", "::1", "0.0.0.0", "::"].includes(host);
  return `http://${isLocal ? "localhost" : host.includes(":") ? `[${host}]` : host}:${port}/`;
}

/**
 * Serves a folder until the server is closed.
 * @throws {UsageError} there is no such folder, or the port is taken.
 */
export async function serve(folder: string, port: number, host: string): Promise<Server> {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    throw new UsageError(`${folder} is no folder.`, "Give the path of the folder to serve.");
  }
  // `dev`: what lies there now is served, not what lay there at the start.
  const answer = sirv(resolve(folder), { dev: true, dotfiles: false });
  const server = createServer((request, response) => {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    answer(request, response, () => {
      response.writeHead(404, { "Content-Type": "text/plain" }).end("Not found\n");
    });
  });
  await new Promise<void>((started, failed) => {
    server.once("error", (cause) =>
      failed(
        new UsageError(`Port ${port} cannot be had: ${cause.message}.`, "Choose another with --port, or 0 for any.", {
          cause,
        }),
      ),
    );
    server.listen(port, host, started);
  });
  return server;
}
