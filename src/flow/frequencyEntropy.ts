/** Entropy of how often each thing occurs, in nats: 0 for one again and again, or for none; ln k for k different ones. */
export function frequencyEntropy(things: readonly (string | number)[]): number {
  const counts = new Map<string | number, number>();
  for (const thing of things) counts.set(thing, (counts.get(thing) ?? 0) + 1);
  let entropy = 0;
  for (const count of counts.values()) entropy += (count / things.length) * Math.log(things.length / count);
  return entropy;
}
