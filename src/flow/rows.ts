/** Row `row` of an array that holds `batch` rows of equal size, without copying it. */
export function rowOf(array: Float32Array, row: number, batch: number): Float32Array {
  const size = array.length / batch;
  return array.subarray(row * size, (row + 1) * size);
}

/** Several arrays one after the other. */
export function joined(arrays: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(arrays.reduce((sum, { length }) => sum + length, 0));
  let filled = 0;
  for (const array of arrays) {
    whole.set(array, filled);
    filled += array.length;
  }
  return whole;
}
