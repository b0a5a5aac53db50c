import { Transport, type TransportButtonProps } from "../../../player/transport/Transport";
import { playPause, stepBack, stepForward, toEnd } from "../../actions/time";
import { LegendButton } from "../legend/LegendButton";
import { ActionButton } from "../ui/ActionButton";
import { ForkButton } from "./ForkButton";
import styles from "./StudioTransport.module.css";

const ACTIONS = { stepBack, playPause, stepForward, toEnd };

/** The player's transport, with the studio's actions on its buttons, a way to go on from the step shown, and the legend. */
export function StudioTransport() {
  return (
    <Transport
      button={TransportButton}
      actions={
        <div className={styles.transportActions}>
          <ForkButton />
          <LegendButton />
        </div>
      }
    />
  );
}

/** Whether it is live, the action knows: the player's own word on that counts where there are no actions. */
function TransportButton({ command, onPress: _, disabled: __, ...button }: TransportButtonProps) {
  return <ActionButton action={ACTIONS[command]} {...button} />;
}
