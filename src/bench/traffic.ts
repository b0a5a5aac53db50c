/** What has crossed between the page and its GPU, in bytes. */
export interface Traffic {
  readonly up: number;
  readonly down: number;
}

/** Counts all traffic of this page from now on, whoever causes it, ORT included. */
export function countTraffic(): () => Traffic {
  let up = 0;
  let down = 0;
  const queue = GPUQueue.prototype;
  const write = queue.writeBuffer;
  queue.writeBuffer = function (buffer, at, data, from = 0, size?: number) {
    const unit = "BYTES_PER_ELEMENT" in data ? (data.BYTES_PER_ELEMENT as number) : 1;
    up += size === undefined ? data.byteLength - from * unit : size * unit;
    return write.call(this, buffer, at, data as Uint8Array<ArrayBuffer>, from, size);
  };
  const device = GPUDevice.prototype;
  const create = device.createBuffer;
  device.createBuffer = function (descriptor) {
    if (descriptor.mappedAtCreation) up += descriptor.size;
    return create.call(this, descriptor);
  };
  const buffers = GPUBuffer.prototype;
  const map = buffers.mapAsync;
  buffers.mapAsync = function (this: GPUBuffer, mode, offset = 0, size = this.size - offset) {
    if (mode & GPUMapMode.READ) down += size;
    else up += size;
    return map.call(this, mode, offset, size);
  };
  return () => ({ up, down });
}
