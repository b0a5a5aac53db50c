/**
 * What the browser offers under some name; undefined where it has no such thing. One that has it may still refuse even to
 * be asked: in frames and under forbidden cookies the name itself throws.
 */
export function offered<T>(ask: () => T): NonNullable<T> | undefined {
  try {
    return ask() ?? undefined;
  } catch {
    return undefined;
  }
}
