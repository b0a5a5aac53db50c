const MIRRORED: Readonly<Record<string, string>> = { ArrowLeft: "ArrowRight", ArrowRight: "ArrowLeft" };

/** What a key means in something that is laid out from right to left, in the words of what is laid out from left to right. */
export function mirroredKey(key: string): string {
  return MIRRORED[key] ?? key;
}

/** Whether an element is laid out from right to left. */
export function isMirrored(element: Element): boolean {
  return element.ownerDocument.defaultView?.getComputedStyle(element).direction === "rtl";
}
