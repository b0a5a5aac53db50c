import { fork } from "../../actions/writing";
import { ActionButton } from "../ui/ActionButton";
import { Icon } from "../ui/Icon";
import styles from "./ForkButton.module.css";

/** Goes on from the step shown, with the settings as they stand. */
export function ForkButton() {
  return (
    <ActionButton
      action={fork}
      label="Go on from this step, with the settings as they stand"
      outlined
      className={styles.transportFork}
    >
      <Icon name="fork" size={17} /> Go on from here
    </ActionButton>
  );
}
