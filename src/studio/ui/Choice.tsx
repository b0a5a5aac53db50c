import { ToggleGroup } from "radix-ui";
import "./Choice.css";

interface Props<T extends string> {
  label: string;
  value: T;
  options: readonly { value: T; label: string; hint?: string }[];
  onChange: (value: T) => void;
  /** `quiet` is small and without a ground. */
  look?: "segments" | "quiet";
}

/** One of a few, all of them in sight. */
export function Choice<T extends string>({ label, value, options, onChange, look = "segments" }: Props<T>) {
  return (
    <ToggleGroup.Root
      type="single"
      className={`choice choice--${look}`}
      aria-label={label}
      value={value}
      onValueChange={(chosen) => {
        // Pressing the chosen one again would leave none chosen.
        if (chosen) onChange(chosen as T);
      }}
    >
      {options.map((option) => (
        <ToggleGroup.Item key={option.value} value={option.value} className="choice-item" title={option.hint}>
          {option.label}
        </ToggleGroup.Item>
      ))}
    </ToggleGroup.Root>
  );
}
