import { type ReactNode, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "@fontsource-variable/inter/wght.css";
import "@fontsource-variable/source-serif-4/wght.css";
import "@fontsource-variable/source-serif-4/wght-italic.css";
import "./panels/base.css";
import "../player/player.css";
import { App } from "./panels/App";
import { Part } from "./panels/alerts/Part";
import { StudioProvider } from "./panels/StudioContext";
import { startStudio } from "./start";
import { ENGLISH } from "./words/english";

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no element with the id root.");
void page().then((page) =>
  createRoot(root).render(
    <StrictMode>
      <Part name={ENGLISH.parts.page}>{page}</Part>
    </StrictMode>,
  ),
);

/** The page in its language, whose words are waited for: nobody is to see them change. */
async function page(): Promise<ReactNode> {
  try {
    const studio = startStudio();
    await studio.spoken();
    return (
      <StudioProvider value={studio}>
        <App />
      </StudioProvider>
    );
  } catch (error) {
    return <NotStarted error={error} />;
  }
}

/** Fails where a part can say so: a page that stays empty tells nobody why. */
function NotStarted({ error }: { error: unknown }): never {
  throw error;
}
