/** A field of a protobuf message: its number and its value, a number for varints and bytes for everything of a length. */
export interface Field {
  readonly number: number;
  readonly value: bigint | Uint8Array;
}

/** Bytes that are no protobuf message. */
export class ProtobufError extends Error {}

/**
 * The fields of a protobuf message, in their order. Fixed-width values come as their bytes. Reads nothing outside `bytes`
 * and copies nothing, whatever they claim.
 * @throws {ProtobufError}
 */
export function* fieldsOf(bytes: Uint8Array): Generator<Field> {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) throw new ProtobufError("it ends in the middle of a number");
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asUintN(64, value);
    }
    throw new ProtobufError("it holds a number of more than 64 bits");
  };
  const take = (count: bigint): Uint8Array => {
    if (count > BigInt(bytes.length - at)) throw new ProtobufError("it claims more bytes than it has");
    const taken = bytes.subarray(at, at + Number(count));
    at += Number(count);
    return taken;
  };
  while (at < bytes.length) {
    const tag = varint();
    const number = Number(tag >> 3n);
    const kind = Number(tag & 7n);
    if (kind === 0) yield { number, value: varint() };
    else if (kind === 1) yield { number, value: take(8n) };
    else if (kind === 2) yield { number, value: take(varint()) };
    else if (kind === 5) yield { number, value: take(4n) };
    else throw new ProtobufError(`it holds a field of the unknown kind ${kind}`);
  }
}
