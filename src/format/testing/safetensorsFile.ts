import type { TensorData } from "../safetensors";

/** A safetensors file of this header, a text as it stands, before these bytes. */
export function safetensorsFile(header: unknown, body: Uint8Array): Uint8Array {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const file = new Uint8Array(8 + text.length + body.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  file.set(text, 8);
  file.set(body, 8 + text.length);
  return file;
}

/** A safetensors file of these tensors. */
export function safetensorsOf(tensors: Readonly<Record<string, TensorData>>): Uint8Array {
  const header: Record<string, object> = {};
  const body: number[] = [];
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const dtype = data instanceof Float32Array ? "F32" : "I64";
    header[name] = { dtype, shape, data_offsets: [body.length, body.length + bytes.length] };
    body.push(...bytes);
  }
  return safetensorsFile(header, Uint8Array.from(body));
}
