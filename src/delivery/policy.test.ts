import { afterEach, describe, expect, it, vi } from "vitest";
import { startWasm } from "../runtime/runtime";
import { forbiddenRequest, forbiddenWorker, PolicyError, requireWebAssembly, watchPolicy } from "./policy";
import { fetchFromHost } from "./sources";

afterEach(() => vi.unstubAllGlobals());

/** As three browsers say it. */
const REFUSALS = [
  "WebAssembly.Module(): Compiling or instantiating WebAssembly module violates the following Content Security policy directive because neither 'wasm-eval' nor 'unsafe-eval' is an allowed source of script",
  "call to WebAssembly.Module() blocked by CSP",
  "Refused to create a WebAssembly object because 'unsafe-eval' or 'wasm-unsafe-eval' is not an allowed source of script",
];

describe("a policy that forbids WebAssembly", () => {
  it.each(REFUSALS)("is named, with what has to be added: %s", async (message) => {
    vi.stubGlobal("WebAssembly", {
      Module: class {
        constructor() {
          throw new WebAssembly.CompileError(message);
        }
      },
      CompileError: WebAssembly.CompileError,
    });
    expect(requireWebAssembly).toThrow(PolicyError);
    const error = await startWasm().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(PolicyError);
    expect((error as PolicyError).message).toContain("wasm-unsafe-eval");
    expect((error as PolicyError).action).toMatch(/script-src .*docs\/hosting\.md/);
  });

  it("is told from a browser that has none", () => {
    vi.stubGlobal("WebAssembly", undefined);
    expect(requireWebAssembly).toThrow("switched off");
  });

  it("is not seen where there is none", () => {
    expect(requireWebAssembly).not.toThrow();
  });
});

describe("what else a policy forbids", () => {
  const target = new EventTarget();
  watchPolicy(target);
  const forbid = (effectiveDirective: string, blockedURI: string) =>
    target.dispatchEvent(Object.assign(new Event("securitypolicyviolation"), { effectiveDirective, blockedURI }));

  it("is named where it is another host", async () => {
    expect(await forbiddenRequest("https://forbidden.example/a.bin")).toBeNull();
    forbid("connect-src", "https://forbidden.example/a.bin");
    vi.stubGlobal("fetch", async () => {
      throw new TypeError("Failed to fetch");
    });
    await expect(fetchFromHost("https://forbidden.example/b.bin", {})).rejects.toThrow(PolicyError);
    await expect(fetchFromHost("https://other.example/b.bin", {})).rejects.toThrow(TypeError);
  });

  it("is named where it is a worker", () => {
    expect(forbiddenWorker()).toBe("");
    forbid("worker-src", "https://page.example/assets/worker.js");
    expect(forbiddenWorker()).toContain("worker-src");
  });
});
