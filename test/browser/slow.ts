/** Marks a test that takes long: `npm test` leaves it out, `npm run test:all` does not. */
export const slow = (why: string) => ({ tag: "@slow", annotation: { type: "slow", description: why } });
