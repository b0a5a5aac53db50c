import { letAllGo } from "../actions/letAllGo";
import { tokenName } from "../run/pieces";
import { useSelectedRun, useStudio, useStudioStore } from "../StudioContext";
import { ActionButton } from "../ui/ActionButton";
import { Icon } from "../ui/Icon";
import "./HeldStrip.css";

/** The tokens that the next run is to keep in their places; nothing while there are none. */
export function HeldStrip() {
  const { draft } = useStudio();
  const held = useStudioStore("draft", ({ held }) => held);
  const loaded = useStudioStore("model", ({ loaded }) => loaded);
  const run = useSelectedRun();
  if (held.length === 0) return null;
  const pieces = loaded?.pieces ?? run?.pieces ?? [];
  const eos = loaded?.manifest.tokens.eos ?? run?.eos ?? null;
  return (
    <section className="held" aria-label="Held words" data-testid="held">
      <p className="held-title" id="held-title">
        Held in the next run
      </p>
      <ul aria-labelledby="held-title">
        {held.map(({ position, token }) => {
          const name = tokenName(token, pieces, eos);
          return (
            <li key={position}>
              <button
                type="button"
                className="held-word"
                aria-label={`Let ${name} at position ${position + 1} go`}
                onClick={() => draft.getState().letGo(position)}
              >
                <small>{position + 1}</small>
                <span>{name}</span>
                <Icon name="close" size={13} />
              </button>
            </li>
          );
        })}
      </ul>
      <ActionButton action={letAllGo} label="Let all held words go" className="held-clear">
        Clear
      </ActionButton>
    </section>
  );
}
