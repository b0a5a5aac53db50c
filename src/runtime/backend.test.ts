import { describe, expect, it, vi } from "vitest";
import { CancelledError } from "../flow/errors";
import { type ChooseOptions, chooseBackend, type OpenNetwork, type Platform } from "./backend";
import { SessionError } from "./graphs";
import type { Backend, Runtime } from "./runtime";
import { SelfTestError } from "./selfTest";
import { isSoftwareAdapter, NoWebGpuError } from "./webgpu";

const realGpu = { info: { vendor: "acme", architecture: "swift-9" } } as GPUAdapter;
const software = { info: { vendor: "google", architecture: "swiftshader" } } as GPUAdapter;

const network = { latentSize: 4 } as OpenNetwork;
const wrong = (what: string) => new SelfTestError(`${what} is off by 0.3.`, "Choose wasm.");

/** A machine on which the ways named in `faults` ("fused", "plain", "wasm") fail. */
function machine(adapter: GPUAdapter | null, faults: Record<string, Error> = {}) {
  const platform = {
    findAdapter: vi.fn(async () => adapter),
    startWebGpu: vi.fn(async () => ({ backend: "webgpu" }) as Runtime),
    startWasm: vi.fn(async () => ({ backend: "wasm", threads: 2 }) as Runtime),
  } satisfies Platform;
  const open = vi.fn<ChooseOptions["open"]>(async ({ backend }, variant) => {
    const fault = faults[backend === "wasm" ? "wasm" : variant];
    if (fault) throw fault;
    return network;
  });
  const choose = (wanted: Backend | "auto", change: Partial<ChooseOptions> = {}) =>
    chooseBackend({ wanted, platform, open, variants: ["fused", "plain"], isTested: true, ...change });
  return { platform, open, choose };
}

describe("chooseBackend", () => {
  it("takes the fused graphs on a real GPU where they pass, and opens nothing else", async () => {
    const { choose, open, platform } = machine(realGpu);
    expect(await choose("auto")).toEqual({
      network,
      backend: "webgpu",
      variant: "fused",
      reason: "The GPU (acme swift-9) passed the model's self-test.",
    });
    expect(open).toHaveBeenCalledOnce();
    expect(platform.startWasm).not.toHaveBeenCalled();
  });

  it("takes the plain graphs where the fused ones compute wrongly, on a new device, and says so", async () => {
    const { choose, platform } = machine(realGpu, { fused: wrong("x_hat") });
    for (const wanted of ["auto", "webgpu"] as const) {
      const chosen = await choose(wanted);
      expect(chosen).toMatchObject({ backend: "webgpu", variant: "plain" });
      expect(chosen.reason).toContain("Fused attention failed its self-test: x_hat is off by 0.3.");
    }
    expect(platform.findAdapter).toHaveBeenCalledTimes(4);
    expect(platform.startWebGpu).toHaveBeenCalledTimes(4);
  });

  it("takes the plain graphs where the fused ones do not run, or where there are none", async () => {
    const failing = machine(realGpu, { fused: new SessionError("No kernel.", "") });
    expect((await failing.choose("auto")).reason).toContain("Fused attention does not run here: No kernel.");
    const { choose, open } = machine(realGpu);
    expect((await choose("auto", { variants: ["plain"] })).variant).toBe("plain");
    expect(open.mock.calls.map(([, variant]) => variant)).toEqual(["plain"]);
  });

  it("takes wasm where the GPU computes wrongly however it is asked", async () => {
    const { choose } = machine(realGpu, { fused: wrong("x_hat"), plain: wrong("entropy") });
    expect(await choose("auto")).toEqual({
      network,
      backend: "wasm",
      variant: "plain",
      threads: 2,
      reason: "The GPU (acme swift-9) failed: entropy is off by 0.3.",
    });
  });

  it("does not leave a GPU that was asked for without a word: the error names what failed", async () => {
    const { choose, platform } = machine(realGpu, { fused: wrong("x_hat"), plain: wrong("entropy") });
    await expect(choose("webgpu")).rejects.toThrow(SelfTestError);
    await expect(choose("webgpu")).rejects.toThrow("entropy is off by 0.3.");
    expect(platform.startWasm).not.toHaveBeenCalled();
  });

  it("has nothing to offer where wasm computes wrongly too", async () => {
    const { choose } = machine(null, { wasm: wrong("x_hat") });
    await expect(choose("auto")).rejects.toThrow(SelfTestError);
    await expect(choose("wasm")).rejects.toThrow(SelfTestError);
  });

  it("does not take a cancel for a failure", async () => {
    const { choose, open } = machine(realGpu, { fused: new CancelledError() });
    await expect(choose("auto")).rejects.toThrow(CancelledError);
    expect(open).toHaveBeenCalledOnce();
  });

  it("takes wasm at once where the only adapter is software or there is none", async () => {
    for (const adapter of [software, null]) {
      const { choose, platform } = machine(adapter);
      expect((await choose("auto")).backend).toBe("wasm");
      expect(platform.startWebGpu).not.toHaveBeenCalled();
    }
  });

  it("does as it is told, even on a software adapter", async () => {
    expect((await machine(software).choose("webgpu")).backend).toBe("webgpu");
    const { choose, platform } = machine(realGpu);
    expect((await choose("wasm")).backend).toBe("wasm");
    expect(platform.findAdapter).not.toHaveBeenCalled();
  });

  it("says so where nothing was tested", async () => {
    expect((await machine(realGpu).choose("auto", { isTested: false })).reason).toContain("was not tested");
  });

  it("names the lack of WebGPU where it is asked for", async () => {
    await expect(machine(null).choose("webgpu")).rejects.toThrow(NoWebGpuError);
  });
});

describe("isSoftwareAdapter", () => {
  it.each([
    [{ vendor: "google", architecture: "swiftshader" }, true],
    [{ vendor: "mesa", description: "llvmpipe (LLVM 19.1, 256 bits)" }, true],
    [{ vendor: "microsoft", description: "Microsoft Basic Render Driver" }, true],
    [{ vendor: "acme", isFallbackAdapter: true }, true],
    [{ vendor: "apple", architecture: "metal-3" }, false],
    [{ vendor: "nvidia", architecture: "hopper" }, false],
    [{}, false],
  ])("%j: %s", (info, expected) => {
    expect(isSoftwareAdapter({ info })).toBe(expected);
  });
});
