import { createContext, type ReactNode, useContext, useMemo, useSyncExternalStore } from "react";
import { useStore } from "zustand";
import { PlayerProvider } from "../../player/PlayerContext";
import type { Studio } from "../session/studio";
import { ENGLISH, type Words } from "../words/english";

const Context = createContext<Studio | null>(null);
/** English where there is no studio yet, or none could be made. */
const WordsContext = createContext<Words>(ENGLISH);

/** Gives the page its studio, and the player's views in it the studio's player. */
export function StudioProvider({ value, children }: { value: Studio; children: ReactNode }) {
  const words = useStore(value.words);
  // Its views say what the page says.
  const player = useMemo(() => ({ ...value.player, words: words.player }), [value.player, words]);
  return (
    <Context.Provider value={value}>
      <WordsContext.Provider value={words}>
        <PlayerProvider value={player}>{children}</PlayerProvider>
      </WordsContext.Provider>
    </Context.Provider>
  );
}

/** What the page says, in its language. */
export function useWords(): Words {
  return useContext(WordsContext);
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
