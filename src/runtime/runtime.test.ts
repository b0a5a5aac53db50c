import type { InferenceSession } from "onnxruntime-web";
import { describe, expect, it } from "vitest";
import { DeviceLostError, type OrtModule, OutOfMemoryError, Runtime } from "./runtime";

const ort = {} as OrtModule;
const device = {} as GPUDevice;

/** A session that refuses overlapping runs, as those of the wasm builds do. */
function strictSession() {
  let running = 0;
  let most = 0;
  const run = async () => {
    running++;
    most = Math.max(most, running);
    await new Promise((resolve) => setTimeout(resolve, 2));
    running--;
    return {};
  };
  return { session: { run, release: async () => {} } as unknown as InferenceSession, mostAtOnce: () => most };
}

describe("Runtime", () => {
  it("runs one thing at a time, in the order asked", async () => {
    const runtime = new Runtime("wasm", ort, { name: "wasm" });
    const { session, mostAtOnce } = strictSession();
    const ended: number[] = [];
    await Promise.all([0, 1, 2].map((i) => runtime.run(session, {}, []).then(() => ended.push(i))));
    expect(mostAtOnce()).toBe(1);
    expect(ended).toEqual([0, 1, 2]);
  });

  it("goes on after a run that failed", async () => {
    const runtime = new Runtime("wasm", ort, { name: "wasm" });
    const { session } = strictSession();
    const failing = { run: () => Promise.reject(new Error("bad input")) } as unknown as InferenceSession;
    await expect(runtime.run(failing, {}, [])).rejects.toThrow("bad input");
    await expect(runtime.run(session, {}, [])).resolves.toEqual({});
  });

  it("answers with the loss of its device where a run never would", async () => {
    let lose: (error: Error) => void = () => {};
    const lost = new Promise<never>((_, reject) => {
      lose = reject;
    });
    const runtime = new Runtime("webgpu", ort, { name: "webgpu" }, { device, lost, release: () => {} });
    const hanging = { run: () => new Promise(() => {}), release: () => new Promise(() => {}) };
    const running = runtime.run(hanging as unknown as InferenceSession, {}, []);
    lose(new DeviceLostError("The GPU was lost.", "Load again."));
    await expect(running).rejects.toThrow(DeviceLostError);
    await expect(runtime.run(strictSession().session, {}, [])).rejects.toThrow(DeviceLostError);
    await runtime.releaseSession(hanging as unknown as InferenceSession);
  });

  it("takes a failure that comes just before the loss for the loss", async () => {
    const lost = new Promise<never>((_, reject) => {
      setTimeout(() => reject(new DeviceLostError("The GPU was lost.", "Load again.")), 5);
    });
    const runtime = new Runtime("webgpu", ort, { name: "webgpu" }, { device, lost, release: () => {} });
    await expect(runtime.orLost(Promise.reject(new Error("mapAsync failed")))).rejects.toThrow(DeviceLostError);
    const sound = { device, lost: new Promise<never>(() => {}), release: () => {} };
    const whole = new Runtime("webgpu", ort, { name: "webgpu" }, sound);
    await expect(whole.orLost(Promise.reject(new Error("mapAsync failed")))).rejects.toThrow("mapAsync failed");
  });

  it.each([
    "std::bad_alloc",
    "Aborted(OOM): out of memory",
    "WebAssembly.Memory(): Array buffer allocation failed",
  ])("names memory that ran out: %s", async (message) => {
    const runtime = new Runtime("wasm", ort, { name: "wasm" });
    const failing = { run: () => Promise.reject(new Error(message)) } as unknown as InferenceSession;
    await expect(runtime.run(failing, {}, [])).rejects.toThrow(OutOfMemoryError);
  });

  it("does not believe a run during which the device reported a fault", async () => {
    const faults = [new Error("out of memory: buffer of 9 GB"), new Error("invalid buffer")];
    const watched = { device, lost: new Promise<never>(() => {}), release: () => {}, takeFault: () => faults.shift() };
    const runtime = new Runtime("webgpu", ort, { name: "webgpu" }, watched);
    const { session } = strictSession();
    await expect(runtime.run(session, {}, [])).rejects.toThrow(OutOfMemoryError);
    await expect(runtime.run(session, {}, [])).rejects.toThrow("invalid buffer");
    await expect(runtime.run(session, {}, [])).resolves.toEqual({});
  });
});
