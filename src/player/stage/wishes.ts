/** Tokens that somebody wants to stand at their places in another run, by position; empty where nobody can wish. */
export type Wishes = ReadonlyMap<number, Wish>;

export interface Wish {
  readonly position: number;
  readonly token: number;
  /** How the token reads. */
  readonly word: string;
}

export const NO_WISHES: Wishes = new Map();
