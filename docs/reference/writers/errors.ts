import { page, prose, table } from "./markdown";
import { below, commentOf, type Node, type ParsedFile, sources } from "./sources";

interface ErrorClass {
  readonly name: string;
  readonly code: string;
  readonly meaning: string;
  readonly node: Node;
}

/** Every error with a name: what it means, what it says, what it advises. */
export function errorsPage(): string {
  const files = sources();
  const classes = files.flatMap(errorClasses).sort((a, b) => (a.name < b.name ? -1 : 1));
  const calls = files.flatMap((file) => [...below(file.body)].filter(({ type }) => type === "NewExpression"));
  const lead = `What the page, the element, the npm package and its command call by name, read off their code: what each of the
${classes.length} errors says and what it advises. \`…\` stands for what differs from case to case. Each has a \`code\`, which is
stable and survives the way out of a worker, a \`message\` and an \`action\`; the element tells the same in \`elf-error\`, in its
box and in the console. Those of the Python package [stand apart](./python-errors.md).`;
  const parts = classes.flatMap(({ name, code, meaning, node }) => {
    const rows = casesOf(name, node, calls);
    const lines = rows.length > 0 ? table(["it says", "what to do"], rows) : "";
    return [`## ${name}`, `\`${code}\`: ${meaning}`, lines];
  });
  return page("Errors", lead, ...parts);
}

function errorClasses(file: ParsedFile): ErrorClass[] {
  return file.body.flatMap((statement) => {
    const node = (statement.declaration ?? statement) as Node;
    if (node.type !== "ClassDeclaration" || (node.superClass as Node | null)?.name !== "ElfError") return [];
    const field = [...below(node.body)].find(
      ({ type, key }) => type === "PropertyDefinition" && (key as Node).name === "code",
    );
    const code = String((field?.value as Node | undefined)?.value);
    return [{ name: (node.id as Node).name as string, code, meaning: prose(commentOf(file, statement)), node }];
  });
}

/** What is said and advised where an error is made, once each. */
function casesOf(name: string, definition: Node, calls: readonly Node[]): [string, string][] {
  const parts = [...below(definition.body)];
  // What its constructor says unless it is told otherwise.
  const defaults = parts
    .filter(({ type, key }) => type === "MethodDefinition" && (key as Node).name === "constructor")
    .flatMap(({ value }) => (value as Node).params as Node[])
    .map((parameter) => (parameter.type === "AssignmentPattern" ? (parameter.right as Node) : undefined));
  const made = calls.filter(({ callee }) => (callee as Node).name === name);
  const cases = made.flatMap((call) => {
    const [message, action] = [0, 1].map((at) => textsOf((call.arguments as Node[])[at] ?? defaults[at]));
    return (message ?? []).flatMap((said) => (action ?? []).map((advised): [string, string] => [said, advised]));
  });
  const telling = cases.filter(([said, advised]) => said !== "…" || advised !== "…");
  const once = new Map(telling.map((pair) => [pair.join("\n"), pair]));
  return [...once.values()].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

/** What an expression may say; `…` for what only a run knows. */
function textsOf(node: Node | undefined): string[] {
  switch (node?.type) {
    case "Literal":
      return [String(node.value)];
    case "TemplateLiteral":
      return [
        (node.quasis as Node[])
          .map(({ value }) => (value as { cooked: string }).cooked)
          .join("…")
          .replace(/…+/g, "…"),
      ];
    case "ConditionalExpression":
      return [...textsOf(node.consequent as Node), ...textsOf(node.alternate as Node)];
    case "BinaryExpression":
      return textsOf(node.left as Node).flatMap((left) => textsOf(node.right as Node).map((right) => left + right));
    default:
      return ["…"];
  }
}
