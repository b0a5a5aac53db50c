import { whyNotReady } from "../../session/writing/readiness";
import { useStudio, useStudioStore } from "../StudioContext";

/** `whyNotReady`, anew whenever something changes that it looks at. */
export function useWhyNotReady(): string | null {
  const studio = useStudio();
  useStudioStore("settings", (state) => state);
  useStudioStore("draft", (state) => state);
  useStudioStore("model", ({ manifest }) => manifest);
  return whyNotReady(studio);
}
