import type { KeyboardEvent } from "react";
import { Announcer } from "./announce/Announcer";
import type { Player } from "./createPlayer";
import { commandFor } from "./keys/commands";
import { PlayerProvider } from "./PlayerContext";
import styles from "./PlayerView.module.css";
import { Stage, type StageProps } from "./stage/Stage";
import { Transport, type TransportProps } from "./transport/Transport";

interface Props {
  readonly player: Player;
  /** What the player is called among others. */
  readonly label: string;
  /** What only some apps can do. */
  readonly stage?: StageProps;
  readonly transport?: TransportProps;
}

/** A whole player in any element of any page: stage and transport, what is read aloud, and keys while the keyboard is in it. */
export function PlayerView({ player, label, stage, transport }: Props) {
  const onKeyDown = (event: KeyboardEvent) => {
    const command = commandFor(event, event.target as Element);
    if (!command) return;
    event.preventDefault();
    command(player);
  };
  return (
    <PlayerProvider value={player}>
      <section className={`player ${styles.view}`} aria-label={label} onKeyDown={onKeyDown}>
        <Stage {...stage} />
        <Transport {...transport} />
        <Announcer />
      </section>
    </PlayerProvider>
  );
}
