import { createContext, useCallback, useContext } from "react";
import type { Player } from "./createPlayer";

const Context = createContext<Player | null>(null);

/** Gives the views below it their player. */
export const PlayerProvider = Context.Provider;

export function usePlayer(): Player {
  const player = useContext(Context);
  if (!player) throw new Error("This view stands outside a PlayerProvider.");
  return player;
}

/** A ref for an element that belongs to a player, see `Player.grounds`: to the one around it, unless another is given. */
export function useGround(given?: Player): (element: Element | null) => void {
  const around = usePlayer();
  const { grounds } = given ?? around;
  return useCallback((element) => void (element && grounds.add(element)), [grounds]);
}
