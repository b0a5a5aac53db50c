import { describe, expect, it, vi } from "vitest";
import { CancelledError } from "../flow/errors";
import { chooseBackend, type OpenNetwork, type Platform } from "./backend";
import type { Backend, Runtime } from "./runtime";
import { SessionError } from "./session";
import { isSoftwareAdapter, NoWebGpuError } from "./webgpu";

const realGpu = { info: { vendor: "acme", architecture: "swift-9" } } as GPUAdapter;
const software = { info: { vendor: "google", architecture: "swiftshader" } } as GPUAdapter;

/** A network that answers with `value` after `milliseconds` of its own clock. */
function network(value: number, milliseconds: number) {
  const denoise = vi.fn(async ({ z }: { z: Float32Array }) => {
    clock += milliseconds;
    return z.map((x) => x * value);
  });
  return {
    latentSize: 4,
    takesSelfCondScale: true,
    denoise,
    decode: async () => [],
    encode: async () => [],
    dispose: vi.fn(async () => {}),
  } satisfies OpenNetwork;
}

let clock = 0;
vi.spyOn(performance, "now").mockImplementation(() => clock);

function machine(adapter: GPUAdapter | null) {
  const platform = {
    findAdapter: vi.fn(async () => adapter),
    startWebGpu: vi.fn(async () => ({ backend: "webgpu" }) as Runtime),
    startWasm: vi.fn(async () => ({ backend: "wasm" }) as Runtime),
  } satisfies Platform;
  const networks: Record<Backend, OpenNetwork> = { webgpu: network(1, 5), wasm: network(1, 25) };
  const choose = (wanted: Backend | "auto") =>
    chooseBackend({ wanted, platform, probeLength: 8, open: async ({ backend }) => networks[backend] });
  return { platform, networks, choose };
}

describe("chooseBackend", () => {
  it("takes a real GPU that is faster, and frees the other network", async () => {
    const { choose, networks } = machine(realGpu);
    const chosen = await choose("auto");
    expect(chosen.backend).toBe("webgpu");
    expect(chosen.reason).toBe("WebGPU: 5 ms a pass on acme swift-9, 25 ms in wasm.");
    expect(networks.wasm.dispose).toHaveBeenCalled();
    expect(networks.webgpu.dispose).not.toHaveBeenCalled();
  });

  it("takes wasm where the GPU is slower", async () => {
    const { choose, networks } = machine(realGpu);
    networks.webgpu = network(1, 60);
    expect((await choose("auto")).backend).toBe("wasm");
    expect(networks.webgpu.dispose).toHaveBeenCalled();
  });

  it("takes wasm where the GPU computes other numbers", async () => {
    const { choose, networks } = machine(realGpu);
    networks.webgpu = network(1.02, 5);
    const chosen = await choose("auto");
    expect(chosen.backend).toBe("wasm");
    expect(chosen.reason).toContain("other numbers");
  });

  it("takes wasm where the GPU fails, and the GPU where wasm fails", async () => {
    const failing = { denoise: () => Promise.reject(new SessionError("No kernel.", "")) };
    const gpuless = machine(realGpu);
    gpuless.networks.webgpu = { ...network(1, 5), ...failing };
    expect(await gpuless.choose("auto")).toMatchObject({ backend: "wasm", reason: expect.stringMatching("No kernel") });
    const wasmless = machine(realGpu);
    wasmless.networks.wasm = { ...network(1, 5), ...failing };
    expect((await wasmless.choose("auto")).backend).toBe("webgpu");
  });

  it("does not take a cancel for a failure", async () => {
    const { choose, networks } = machine(realGpu);
    networks.webgpu = { ...network(1, 5), denoise: () => Promise.reject(new CancelledError()) };
    await expect(choose("auto")).rejects.toThrow(CancelledError);
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
