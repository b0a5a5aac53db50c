import { useEffect } from "react";

interface Props {
  readonly onOpen: (open: boolean) => void;
}

/**
 * For the moment in which something that lies over the page is fetched: Escape closes it already, and what is typed for it does
 * nothing on the page. It goes with what does not come, so that the page has its keys again.
 */
export function OnItsWay({ onOpen }: Props) {
  useEffect(() => {
    const keepFromPage = (event: KeyboardEvent) => {
      const { key, ctrlKey, metaKey, altKey } = event;
      if (key === "Tab" || /^F\d/.test(key)) return;
      const isOfBrowser = ctrlKey || metaKey || altKey;
      // The palette's own key closes it again.
      if (isOfBrowser && key.toLowerCase() === "k") return;
      if (key === "Escape") onOpen(false);
      event.stopPropagation();
      // What a browser does with such a key is still wanted.
      if (!isOfBrowser) event.preventDefault();
    };
    // Before the page hears of it, and whatever has the focus.
    addEventListener("keydown", keepFromPage, true);
    return () => removeEventListener("keydown", keepFromPage, true);
  }, [onOpen]);
  return null;
}
