import { createContext, type ReactNode, useContext } from "react";
import { useStore } from "zustand";
import type { StoreApi } from "zustand/vanilla";
import { PlayerProvider } from "../../player/PlayerContext";
import { selectedRun } from "../session/runs/runs";
import type { Run } from "../session/runs/shelfRun";
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

type StoreName = { [Name in keyof Studio]: Studio[Name] extends StoreApi<infer _> ? Name : never }[keyof Studio];
type StateOf<Name extends StoreName> = Studio[Name] extends StoreApi<infer State> ? State : never;

/** Reads one of the studio's stores, and renders again when what `select` returns changes. */
export function useStudioStore<Name extends StoreName, T>(name: Name, select: (state: StateOf<Name>) => T): T {
  const store = useStudio()[name] as unknown as StoreApi<StateOf<Name>>;
  return useStore<StoreApi<StateOf<Name>>, T>(store, select);
}

export function useSelectedRun(): Run | undefined {
  return useStudioStore("runs", selectedRun);
}
