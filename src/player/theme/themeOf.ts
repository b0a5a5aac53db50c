import type { ThemeName } from "../export/colours";

/** The colour scheme that the element is seen in: one that it, or the page around, allows and the system prefers. */
export function themeOf(element: Element): ThemeName {
  const { colorScheme } = getComputedStyle(element);
  if (!colorScheme.includes("dark")) return "light";
  const isChosen = !colorScheme.includes("light") || matchMedia("(prefers-color-scheme: dark)").matches;
  return isChosen ? "dark" : "light";
}
