import { useStore } from "zustand";
import { usePlayer } from "../PlayerContext";
import { Choice } from "../ui/Choice";

/** Which of a state's two readings is shown. */
export function ReadingChoice() {
  const { display, words } = usePlayer();
  const reading = useStore(display, ({ reading }) => reading);
  return (
    <Choice
      label={words.readings.label}
      value={reading}
      options={[
        { value: "holds", label: words.readings.holds },
        { value: "expects", label: words.readings.expects },
      ]}
      onChange={(value) => display.getState().set({ reading: value })}
    />
  );
}
