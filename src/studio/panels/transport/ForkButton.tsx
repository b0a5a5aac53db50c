import { fork } from "../../actions/writing";
import { useWords } from "../StudioContext";
import { ActionButton } from "../ui/ActionButton";
import { Icon } from "../ui/Icon";
import styles from "./ForkButton.module.css";

/** Goes on from the step shown, with the settings as they stand. */
export function ForkButton() {
  const { stage } = useWords();
  return (
    <ActionButton action={fork} label={stage.forkLabel} outlined className={styles.transportFork}>
      <Icon name="fork" size={17} /> {stage.fork}
    </ActionButton>
  );
}
