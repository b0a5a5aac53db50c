import { type Curve, DASH, type Drawing, type Line } from "./drawing";
import { FAMILIES } from "./typography";

/** A drawing as the text of an SVG file, with what it says of itself in its metadata. */
export function svgOf({
  width,
  height,
  rectangles,
  curves = [],
  dots = [],
  lines,
  title,
  text,
  note,
}: Drawing): string {
  return element(
    "svg",
    { xmlns: "http://www.w3.org/2000/svg", width, height, viewBox: `0 0 ${width} ${height}`, role: "img" },
    element("title", {}, escaped(title)),
    element("desc", {}, escaped(text)),
    element("metadata", {}, escaped(note)),
    ...rectangles.map(({ colour, ...box }) => element("rect", { ...rounded(box), fill: colour })),
    ...curves.map(curveElement),
    ...dots.map(({ x, y, radius, colour }) =>
      element("circle", { ...rounded({ cx: x, cy: y, r: radius }), fill: colour }),
    ),
    ...lines.map(textElement),
  );
}

function curveElement({ points, colour, width, isDashed }: Curve): string {
  return element("polyline", {
    points: points.map(([x, y]) => `${tenths(x)},${tenths(y)}`).join(" "),
    fill: "none",
    stroke: colour,
    "stroke-width": tenths(width),
    "stroke-linejoin": "round",
    ...(isDashed ? { "stroke-dasharray": tenths(DASH * width) } : {}),
  });
}

function textElement({ x, y, width, type, isRightToLeft, spans }: Line): string {
  return element(
    "text",
    {
      ...rounded({ x, y }),
      "font-family": FAMILIES[type.family],
      "font-size": tenths(type.size),
      "font-weight": type.weight,
      // The width that lines were broken by, whatever type the viewer has.
      textLength: tenths(width),
      lengthAdjust: "spacingAndGlyphs",
      "xml:space": "preserve",
      ...(isRightToLeft ? { direction: "rtl" } : {}),
    },
    ...spans.map(({ text, colour, underlined }) =>
      element("tspan", { fill: colour, ...(underlined ? { "text-decoration": "underline" } : {}) }, escaped(text)),
    ),
  );
}

function element(name: string, attributes: Readonly<Record<string, string | number>>, ...inside: string[]): string {
  const written = Object.entries(attributes).map(([key, value]) => ` ${key}="${escaped(String(value))}"`);
  return inside.length > 0
    ? `<${name}${written.join("")}>${inside.join("")}</${name}>`
    : `<${name}${written.join("")}/>`;
}

/** Text as XML has it. What XML cannot say at all, like most control characters, is shown as unknown. */
function escaped(text: string): string {
  return (
    text
      .replace(/[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g, "\uFFFD")
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
      .replace(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g, "\uFFFD")
      .replaceAll("&", "&amp;")
      .replaceAll("<", "&lt;")
      .replaceAll(">", "&gt;")
      .replaceAll('"', "&quot;")
  );
}

function rounded<T extends Readonly<Record<string, number>>>(lengths: T): T {
  return Object.fromEntries(Object.entries(lengths).map(([name, length]) => [name, tenths(length)])) as T;
}

function tenths(length: number): number {
  return Math.round(10 * length) / 10;
}
