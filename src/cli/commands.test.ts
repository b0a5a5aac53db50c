import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UsageError } from "./options";
import { addressOf, serve } from "./serve";
import { command } from "./testing/command";

const root = join(import.meta.dirname, "../..");

describe("elf-playground", () => {
  it("lists its commands, and names what there is for a word that is none", async () => {
    const help = await command("--help");
    expect(help).toMatchObject({ code: 0, err: "" });
    for (const name of ["generate", "serve", "trace"]) expect(help.out).toContain(`  ${name} `);
    for (const word of ["genrate", "constructor"]) {
      const wrong = await command(word);
      expect(wrong).toMatchObject({ code: 2, out: "" });
      expect(wrong.err).toBe(`UsageError: There is no command ${word}. Choose from: generate, serve, trace.\n`);
    }
  });
});

describe("elf-playground trace", () => {
  it("tells what the page's recorded run holds", async () => {
    const { code, out } = await command("trace", "public/traces/stories.json");
    expect(code).toBe(0);
    expect(out).toMatch(/^model {5}Stories \(stories\)\nsteps {5}32, 33 frames recorded\nsampler {3}SDE γ 3, /);
    const { out: json } = await command("trace", "public/traces/stories.json", "--json");
    expect(JSON.parse(json)).toMatchObject({ model: "stories", steps: 32, forks: [], settings: { method: "sde" } });
    expect(out.trimEnd().endsWith(JSON.parse(json).text)).toBe(true);
  });

  it.each([
    [["package.json"], 1, "TraceError: The recorded run is wrong at version"],
    [["nowhere.json"], 2, "UsageError: nowhere.json cannot be read."],
    [[], 2, "UsageError: One recorded run is read at a time."],
    [["--nothing"], 2, "UsageError: Unknown option '--nothing'."],
  ])("ends %j by name", async (args, code, words) => {
    const ended = await command("trace", ...args);
    expect(ended).toMatchObject({ code, out: "" });
    expect(ended.err).toContain(words);
  });
});

describe("elf-playground serve", () => {
  let server: Awaited<ReturnType<typeof serve>>;
  let address = "";

  beforeAll(async () => {
    server = await serve(join(root, "test/fixtures"), 0, "127.0.0.1");
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterAll(() => {
    server.close();
  });

  it("answers as a page from elsewhere needs it, from the middle too", async () => {
    const whole = await fetch(`${address}/tiny-model/manifest.json`);
    expect(whole.headers.get("content-type")).toContain("application/json");
    expect(whole.headers.get("access-control-allow-origin")).toBe("*");
    expect(whole.headers.get("cross-origin-embedder-policy")).toBe("require-corp");
    const text = await whole.text();
    const rest = await fetch(`${address}/tiny-model/manifest.json`, { headers: { Range: "bytes=10-" } });
    expect(rest.status).toBe(206);
    expect(await rest.text()).toBe(text.slice(10));
  });

  it("has nothing from outside the folder, nor what is not there", async () => {
    expect((await fetch(`${address}/none`)).status).toBe(404);
    expect((await fetch(`${address}/..%2f..%2fpackage.json`)).status).toBe(404);
  });

  it("names the address where it listens", async () => {
    const { port } = server.address() as AddressInfo;
    const named = (host: string) => addressOf(server, host);
    expect(["127.0.0.1", "::"].map(named)).toEqual([`http://localhost:${port}/`, `http://localhost:${port}/`]);
    expect(named("192.168.1.5")).toBe(`http://192.168.1.5:${port}/`);
    expect(named("fd00::5")).toBe(`http://[fd00::5]:${port}/`);
  });

  it("refuses a folder that is none, and a port that is taken", async () => {
    await expect(serve("nowhere", 0, "127.0.0.1")).rejects.toThrow(UsageError);
    const { port } = server.address() as AddressInfo;
    await expect(serve(root, port, "127.0.0.1")).rejects.toThrow(`Port ${port} cannot be had`);
  });
});
