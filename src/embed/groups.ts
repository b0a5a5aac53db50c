/** Elements that share one time: what one of them shows, the others of its group show, too. */
export interface Member {
  /** Shows the frame nearest to `t`, without telling the group. */
  follow(t: number): void;
  /** Another one moves time now. */
  rest(): void;
  isMoving(): boolean;
}

/** Those of a group, and the time that one of them has told of last; undefined while none has. */
class Group extends Set<Member> {
  time: number | undefined;
}

const groups = new Map<string, Group>();

/** Enters a group; returns what leaves it. */
export function join(name: string, member: Member): () => void {
  const group = groups.get(name) ?? new Group();
  groups.set(name, group.add(member));
  return () => {
    group.delete(member);
    if (group.size === 0) groups.delete(name);
  };
}

/** Tells the others of a group of the time that one of them shows. */
export function share(name: string, from: Member, t: number): void {
  const group = groups.get(name);
  if (group) group.time = t;
  for (const member of group ?? []) if (member !== from) member.follow(t);
}

/** The time that a group shows; undefined while nobody has moved it. */
export function timeOf(name: string): number | undefined {
  return groups.get(name)?.time;
}

/** Whether time goes by in a group. */
export function isMoving(name: string): boolean {
  return [...(groups.get(name) ?? [])].some((member) => member.isMoving());
}

/** Lets the others of a group rest, since one of them plays. */
export function lead(name: string, from: Member): void {
  for (const member of groups.get(name) ?? []) if (member !== from) member.rest();
}
