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
      if (key === "Escape") onOpen(false);
      // What a browser does with such a key is still wanted.
      else if (ctrlKey || metaKey || altKey || key === "Tab" || /^F\d/.test(key)) return;
      event.preventDefault();
      event.stopPropagation();
    };
    // Before the page hears of it, and whatever has the focus.
    addEventListener("keydown", keepFromPage, true);
    return () => removeEventListener("keydown", keepFromPage, true);
  }, [onOpen]);
  return null;
}
