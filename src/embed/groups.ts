/** Elements that share one time: what one of them shows, the others of its group show, too. */
export interface Member {
  /** Shows the frame nearest to `t`, without telling the group. */
  follow(t: number): void;
  /** Another one moves time now. */
  rest(): void;
}

const groups = new Map<string, Set<Member>>();

/** Enters a group; returns what leaves it. */
export function join(name: string, member: Member): () => void {
  const group = groups.get(name) ?? new Set();
  groups.set(name, group.add(member));
  return () => {
    group.delete(member);
    if (group.size === 0) groups.delete(name);
  };
}

/** Tells the others of a group of the time that one of them shows. */
export function share(name: string, from: Member, t: number): void {
  for (const member of groups.get(name) ?? []) if (member !== from) member.follow(t);
}

/** Lets the others of a group rest, since one of them plays. */
export function lead(name: string, from: Member): void {
  for (const member of groups.get(name) ?? []) if (member !== from) member.rest();
}
