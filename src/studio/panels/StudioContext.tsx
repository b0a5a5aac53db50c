import { createContext, type ReactNode, useContext, useSyncExternalStore } from "react";
import { PlayerProvider } from "../../player/PlayerContext";
import type { Studio } from "../session/studio";

const Context = createContext<Studio | null>(null);

/** Gives the page its studio, and the player's views in it the studio's player. */
export function StudioProvider({ value, children }: { value: Studio; children: ReactNode }) {
  return (
    <Context.Provider value={value}>
      <PlayerProvider value={value.player}>{children}</PlayerProvider>
    </Context.Provider>
  );
}

export function useStudio(): Studio {
  const studio = useContext(Context);
  if (!studio) throw new Error("This component stands outside the StudioProvider.");
  return studio;
}

/** What `read` makes of the studio, anew whenever anything in it changes. */
export function useStudioValue<T extends string | number | boolean | null>(read: (studio: Studio) => T): T {
  const studio = useStudio();
  const value = () => read(studio);
  return useSyncExternalStore(studio.watch, value, value);
}
