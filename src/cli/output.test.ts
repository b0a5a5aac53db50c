/** What is left of a run when a file, a reader or the model's host fails it. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readTrace } from "../format/trace";
import { helpText } from "./options";
import { command } from "./testing/command";

const TINY = "test/fixtures/tiny-model";

describe("elf-playground generate, where something fails it", () => {
  const folder = mkdtempSync(join(tmpdir(), "elf-output-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  // Where everything is written, and nothing is kept: only there.
  it.skipIf(!existsSync("/dev/full"))("prints the text, whatever becomes of its files", async () => {
    const args = ["--model", TINY, "--steps", "2"];
    const { out } = await command("generate", ...args);
    for (const option of ["--dump", "--trace"]) {
      const full = await command("generate", ...args, option, "/dev/full");
      expect(full).toMatchObject({ code: 1, out });
      expect(full.err).toMatch(/^OutputError: \/dev\/full could not be written: ENOSPC.*\n$/);
    }
  });

  it("writes its files although nobody reads the text", () => {
    const trace = join(folder, "unread.json");
    const words = `src/cli/main.ts generate --model ${TINY} --steps 2 --trace ${trace}`;
    const { stderr } = spawnSync("sh", ["-c", `${process.execPath} --import tsx ${words} | true`], {
      encoding: "utf8",
    });
    expect(stderr).toBe("");
    expect(readTrace(readFileSync(trace, "utf8")).trajectory.frames).toHaveLength(3);
  });

  it("asks a host again that was busy, and says by name when it gives up", async () => {
    let busy = 1;
    const server = createServer((asked, answer) => {
      if (busy-- > 0) answer.writeHead(503, { "Retry-After": busy > 0 ? "1000" : "0" }).end();
      else answer.end(readFileSync(join("test/fixtures", asked.url ?? "")));
    });
    await new Promise<void>((open) => server.listen(0, "127.0.0.1", open));
    const model = ["--model", `http://127.0.0.1:${(server.address() as AddressInfo).port}/tiny-model`];
    try {
      const again = await command("generate", ...model, "--steps", "2");
      expect(again).toEqual(await command("generate", "--model", TINY, "--steps", "2"));
      busy = 100;
      const given = await command("generate", ...model);
      expect(given).toMatchObject({ code: 1, out: "" });
      expect(given.err).toMatch(
        /^UnreachableError: manifest\.json could not be loaded: the server answered 503\..*\n$/,
      );
      const help = await command("generate", ...model, "--help");
      expect(help).toEqual({ code: 0, out: `${helpText()}\n`, err: "" });
    } finally {
      server.close();
    }
  });
});
