import { Transport, type TransportButtonProps } from "../../../player/transport/Transport";
import { playPause, stepBack, stepForward, toEnd } from "../../actions/time";
import { ActionButton } from "../ui/ActionButton";
import { ForkButton } from "./ForkButton";

const ACTIONS = { stepBack, playPause, stepForward, toEnd };

/** The player's transport, with the studio's actions on its buttons and a way to go on from the step shown. */
export function StudioTransport() {
  return <Transport button={TransportButton} actions={<ForkButton />} />;
}

/** Whether it is live, the action knows: the player's own word on that counts where there are no actions. */
function TransportButton({ command, onPress: _, disabled: __, ...button }: TransportButtonProps) {
  return <ActionButton action={ACTIONS[command]} {...button} />;
}
