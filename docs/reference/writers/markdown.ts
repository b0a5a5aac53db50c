/** A page of the reference, which code writes: its title, a word ahead, and its parts. */
export function page(title: string, lead: string, ...parts: readonly string[]): string {
  return `${[`# ${title}`, lead, ...parts.filter((part) => part !== "")].join("\n\n").trimEnd()}\n`;
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** A text in a table: code in backticks as it is, elsewhere nothing that could be a tag or a placeholder. */
export function cell(text: string): string {
  const parts = text.replace(/\s+/g, " ").trim().split("`");
  const quoted = parts.map((part, at) =>
    at % 2 === 1 ? part : part.replaceAll("<", "&lt;").replaceAll("{{", "&#123;{").replaceAll("*", "\\*"),
  );
  return quoted.join("`").replaceAll("|", "\\|");
}

/** A doc comment as paragraphs, without its stars and tags. */
export function prose(comment: string): string {
  const plain = comment
    .replace(/^\s*\* ?/gm, "")
    .replace(/```[\s\S]*?```/g, "")
    .split(/^@|\s@throws/m)[0];
  return (plain ?? "")
    .split(/\n\s*\n/)
    .map(cell)
    .filter((paragraph) => paragraph !== "")
    .join("\n\n");
}
