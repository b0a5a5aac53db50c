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

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no element with the id root.");
const reload = (
  <button type="button" onClick={() => location.reload()}>
    Reload the page
  </button>
);
createRoot(root).render(
  <StrictMode>
    <Part name="This page" remedy={reload}>
      {page()}
    </Part>
  </StrictMode>,
);

function page(): ReactNode {
  try {
    return (
      <StudioProvider value={startStudio()}>
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
