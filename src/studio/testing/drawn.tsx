import { Tooltip } from "radix-ui";
import type { ReactNode } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { StudioProvider } from "../panels/StudioContext";
import type { Studio } from "../session/studio";

/** What a panel shows as the studio stands, as HTML. No browser takes part, so nothing of it can be pressed. */
export function drawn(studio: Studio, panel: ReactNode): string {
  for (const store of Object.values(studio)) {
    // What is drawn without a browser is drawn from how a store began.
    if (typeof store === "object" && "getInitialState" in store) store.getInitialState = store.getState;
  }
  return renderToStaticMarkup(
    <StudioProvider value={studio}>
      <Tooltip.Provider>{panel}</Tooltip.Provider>
    </StudioProvider>,
  );
}

/** The words of some HTML, with the buttons that are live in brackets and those that are not in parentheses. */
export function wordsOf(html: string): string {
  return html
    .replace(/<button([^>]*)>(.*?)<\/button>/gs, (_, attributes: string, content: string) => {
      const words = content.replace(/<span class="[^"]*" aria-hidden="true">.*?<\/span>/gs, "");
      return attributes.includes('aria-disabled="true"') ? ` (${words}) ` : ` [${words}] `;
    })
    .replace(/<[^>]+>/g, " ")
    .replace(/\s+/g, " ")
    .replace(/([[(]) | (?=[\])])/g, "$1")
    .trim();
}
