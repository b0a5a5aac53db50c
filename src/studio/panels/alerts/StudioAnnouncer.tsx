import { Announcer } from "../../../player/announce/Announcer";
import { useStudioStore } from "../StudioContext";

/** What is read aloud: the text, or that there will be one. */
export function StudioAnnouncer() {
  const isLoading = useStudioStore("generation", ({ phase }) => phase === "loading");
  return <Announcer instead={isLoading ? "Loading the model." : ""} />;
}
