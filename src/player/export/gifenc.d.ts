/** As much of gifenc, which has no types of its own, as `gif.ts` uses. */
declare module "gifenc" {
  interface FrameOptions {
    /** Of the first frame, and so of all that have none. */
    readonly palette?: readonly (readonly [red: number, green: number, blue: number])[];
    /** Bits of a place in the palette. */
    readonly colorDepth?: number;
    readonly transparent?: boolean;
    readonly transparentIndex?: number;
    /** What becomes of a frame when its time is over; 1 leaves it. */
    readonly dispose?: number;
    /** Milliseconds. */
    readonly delay?: number;
  }

  interface Encoder {
    writeFrame(places: Uint8Array, width: number, height: number, options: FrameOptions): void;
    readonly stream: { writeByte(byte: number): void; writeBytes(bytes: Uint8Array): void };
    finish(): void;
    bytes(): Uint8Array<ArrayBuffer>;
  }

  export function GIFEncoder(): Encoder;
}
