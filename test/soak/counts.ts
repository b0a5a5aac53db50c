/** What a page holds, counted from outside of it. */
import type { Page } from "playwright-core";

/** By name, each a number that must not grow. */
export type Counts = Readonly<Record<string, number>>;

/** How a page's GPU is watched: see `watchGpu`. */
interface WatchedGpu {
  readonly buffers: number;
  readonly bytes: number;
}

/**
 * Counts what a page and its workers hold now. The page has to be isolated, and its browser told to measure memory when it is asked
 * to, after it has collected what nobody holds (`EAGER`).
 */
export async function countsOf(page: Page): Promise<Counts> {
  const { memory, ...others } = await page.evaluate(async () => {
    type Part = { readonly bytes: number; readonly types: readonly string[] };
    const measure = performance as unknown as {
      measureUserAgentSpecificMemory(): Promise<{ readonly breakdown: readonly Part[] }>;
    };
    const { breakdown } = await measure.measureUserAgentSpecificMemory();
    // What is shared is the browser's own, compiled code that it keeps over reloads.
    const own = breakdown.filter(({ types }) => !types.includes("Shared"));
    const files = async (folder: FileSystemDirectoryHandle): Promise<number[]> => {
      const sizes: number[] = [];
      for await (const entry of (folder as unknown as { values(): AsyncIterable<FileSystemHandle> }).values()) {
        if (entry.kind === "directory") sizes.push(...(await files(entry as FileSystemDirectoryHandle)));
        else sizes.push((await (entry as FileSystemFileHandle).getFile()).size);
      }
      return sizes;
    };
    const settled = <T>(request: IDBRequest<T>) =>
      new Promise<T>((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
    let records = 0;
    for (const { name } of await indexedDB.databases()) {
      if (!name) continue;
      const base = await settled(indexedDB.open(name));
      const stores = [...base.objectStoreNames];
      if (stores.length > 0) {
        const transaction = base.transaction(stores);
        for (const store of stores) records += await settled(transaction.objectStore(store).count());
      }
      base.close();
    }
    const sizes = await files(await navigator.storage.getDirectory());
    return {
      memory: own.reduce((sum, { bytes }) => sum + bytes, 0),
      "elements of the page": document.getElementsByTagName("*").length,
      "records in IndexedDB": records,
      "files in OPFS": sizes.length,
      "bytes in OPFS": sizes.reduce((sum, size) => sum + size, 0),
    };
  });
  const gpus = await Promise.all(
    page
      .workers()
      .map((worker) => worker.evaluate(() => (globalThis as { watchedGpu?: WatchedGpu }).watchedGpu ?? null)),
  );
  const gpu = gpus.filter((watched) => watched !== null);
  return {
    "bytes of memory": memory,
    workers: page.workers().length,
    ...others,
    ...(gpu.length > 0
      ? {
          "buffers on the GPU": gpu.reduce((sum, { buffers }) => sum + buffers, 0),
          "bytes on the GPU": gpu.reduce((sum, { bytes }) => sum + bytes, 0),
        }
      : {}),
  };
}

/** The compiler that runs this file gives functions their names by a function of its own, which a page does not have. */
export const NAMING = "globalThis.__name ??= (value) => value";

/** What Chromium is started with, so that memory is measured at once. */
export const EAGER = ["--enable-blink-features=ForceEagerMeasureMemory"];

/** Counts the buffers that workers of the page have on the GPU, until they destroy them or let them go. */
export function watchGpu(page: Page): void {
  page.on("worker", (worker) => {
    const named = worker.evaluate(NAMING);
    const watching = worker.evaluate(() => {
      if (!("GPUDevice" in globalThis)) return;
      const counted = { buffers: 0, bytes: 0 };
      Object.assign(globalThis, { watchedGpu: counted });
      const gone = (size: number) => {
        counted.buffers--;
        counted.bytes -= size;
      };
      const living = new FinalizationRegistry<number>(gone);
      const { createBuffer } = GPUDevice.prototype;
      GPUDevice.prototype.createBuffer = function (this: GPUDevice, described: GPUBufferDescriptor) {
        const buffer = createBuffer.call(this, described);
        counted.buffers++;
        counted.bytes += described.size;
        living.register(buffer, described.size, buffer);
        return buffer;
      };
      const { destroy } = GPUBuffer.prototype;
      GPUBuffer.prototype.destroy = function (this: GPUBuffer) {
        if (living.unregister(this)) gone(this.size);
        return destroy.call(this);
      };
    });
    // A worker that is over at once has nothing.
    Promise.all([named, watching]).catch(() => {});
  });
}
