import { useStore } from "zustand";
import { Announcer } from "../../../player/announce/Announcer";
import { useStudio, useWords } from "../StudioContext";

/** What is read aloud: the text, or that there will be one. */
export function StudioAnnouncer() {
  const studio = useStudio();
  const { stage } = useWords();
  const isLoading = useStore(studio.generation, ({ phase }) => phase === "loading");
  return <Announcer instead={isLoading ? stage.loadingModel : ""} />;
}
