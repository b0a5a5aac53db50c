/**
 * What a browser does to a page that it translates, as Chrome does it: it takes every text node out, puts two elements
 * called `font` in its place with a text of their own, and does so again with whatever the page shows later. Besides, it
 * notes what a page changes in texts that are no longer in the document: a person would go on seeing the old ones.
 */
import type { Page } from "@playwright/test";

/** Translates the page from its first line on; `everything` also what asks to be left alone. */
export async function translate(page: Page, everything: boolean): Promise<void> {
  await page.addInitScript(translator, everything);
}

/** The changes that nobody could see. */
export function lostChanges(page: Page): Promise<readonly string[]> {
  return page.evaluate(() => (window as unknown as { lostChanges: string[] }).lostChanges);
}

/** How many texts were translated. */
export function translated(page: Page): Promise<number> {
  return page.evaluate(() => document.querySelectorAll("font > font").length);
}

function translator(everything: boolean): void {
  const lost: string[] = [];
  Object.assign(window, { lostChanges: lost });
  for (const [owner, name] of [
    [Node.prototype, "nodeValue"],
    [CharacterData.prototype, "data"],
  ] as const) {
    const { get, set } = Object.getOwnPropertyDescriptor(owner, name) as Required<PropertyDescriptor>;
    Object.defineProperty(owner, name, {
      get,
      set(this: Node, text: string) {
        if (!this.isConnected) lost.push(`“${this.textContent}” became “${text}”`);
        set.call(this, text);
      },
      configurable: true,
    });
  }

  const SKIPPED = "font, textarea, script, style, title, noscript, svg";
  const isTranslatable = (node: Node) => {
    const parent = node.parentElement;
    if (!parent || parent.closest(SKIPPED) || node.textContent === "") return false;
    return everything || (node.textContent?.trim() !== "" && !parent.closest("[translate=no], .notranslate"));
  };
  const take = (root: Node) => {
    const texts: Node[] = [];
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    if (root.nodeType === Node.TEXT_NODE) texts.push(root);
    while (walker.nextNode()) texts.push(walker.currentNode);
    for (const text of texts.filter(isTranslatable)) {
      const outer = document.createElement("font");
      const inner = document.createElement("font");
      inner.textContent = text.textContent;
      outer.style.verticalAlign = "inherit";
      outer.append(inner);
      (text as ChildNode).replaceWith(outer);
    }
  };
  const observer = new MutationObserver((changes) => {
    for (const { target, addedNodes, type } of changes) {
      if (type === "characterData") take(target);
      for (const node of addedNodes) take(node);
    }
    observer.takeRecords();
  });
  document.addEventListener("DOMContentLoaded", () => {
    take(document.body);
    observer.observe(document.body, { subtree: true, childList: true, characterData: true });
  });
}
