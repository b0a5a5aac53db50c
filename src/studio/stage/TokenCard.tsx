import { Popover } from "radix-ui";
import { useEffect, useRef } from "react";
import type { Reading } from "../../flow/network";
import type { Frame } from "../../flow/trajectory";
import { describeEntropy } from "../run/certainty";
import { tokenName } from "../run/pieces";
import type { ReadingName, Run } from "../run/run";
import { lastChange } from "../run/settling";
import { useStudio, useStudioStore } from "../StudioContext";
import { Icon } from "../ui/Icon";
import { TokenChoices } from "./TokenChoices";
import "./TokenCard.css";

/** What else could stand at the token looked at, at this t. */
export function TokenCard({ run, index, reading }: { run: Run; index: number; reading: ReadingName }) {
  const { view, draft } = useStudio();
  const position = useStudioStore("view", ({ inspected }) => inspected);
  const pinned = useStudioStore("view", ({ pinned }) => pinned);
  const wish = useStudioStore("draft", ({ held }) => held.find((token) => token.position === position)?.token);
  const ownModel = useStudioStore("model", ({ name }) => name === run.trajectory.model);
  const frame = run.trajectory.frames[index];
  // Radix asks for the anchor by reference; the token under it is another element in other frames.
  const anchor = useRef({
    getBoundingClientRect: () => (tokenElement(view.getState().inspected) ?? document.body).getBoundingClientRect(),
  });
  const open = position !== null && frame !== undefined && tokenElement(position) !== null;

  useEffect(() => {
    // Text flows again under a standing card: have it follow.
    if (open && frame) window.dispatchEvent(new Event("resize"));
  }, [open, frame]);

  if (position === null || !frame) return null;
  const shown = frame[reading];
  const changed = lastChange(run.trajectory.frames, index, reading, position);
  const entropy = shown.entropy[position] ?? 0;
  return (
    <Popover.Root
      open={open}
      onOpenChange={(stays) => {
        if (stays) return;
        const inside = document.activeElement?.closest(".token-card") != null;
        view.getState().pin(null);
        // Back to where the keyboard came from.
        if (inside) tokenElement(position)?.focus();
      }}
    >
      <Popover.Anchor virtualRef={anchor} />
      <Popover.Portal>
        <Popover.Content
          className="token-card"
          data-pinned={pinned}
          aria-label={`Alternatives at position ${position + 1}`}
          side="bottom"
          sideOffset={10}
          collisionPadding={12}
          onOpenAutoFocus={(event) => event.preventDefault()}
          onCloseAutoFocus={(event) => event.preventDefault()}
          onInteractOutside={(event) => {
            // Another token takes over by itself, and time may go on under a pinned card.
            if ((event.target as Element).closest(".token, .transport, .stage-bar")) event.preventDefault();
          }}
        >
          <h2>
            <span translate="no">{tokenName(shown.tokens[position] as number, run.pieces, run.eos)}</span>
            <small>{`position ${position + 1}`}</small>
          </h2>
          <ul>
            {alternatives(shown, position, run).map(({ token, word, probability }) => (
              <li key={token}>
                <span className="token-card-name" translate="no">
                  {word}
                </span>
                <span className="token-card-bar" aria-hidden="true">
                  <i style={{ width: `${100 * probability}%` }} />
                </span>
                <span className="token-card-percent">{percent(probability)}</span>
                {pinned && ownModel && (
                  <button
                    type="button"
                    className="token-card-hold"
                    aria-label={`Hold ${word} here`}
                    aria-pressed={wish === token}
                    onClick={() => draft.getState().hold([{ position, token, word }])}
                  >
                    <Icon name="lock" size={15} />
                  </button>
                )}
              </li>
            ))}
          </ul>
          <p>
            <b>{`${entropy.toFixed(2)} nats`}</b>
            <span>{`, ${describeEntropy(entropy)}. ${changeSentence(changed)}`}</span>
          </p>
          {pinned && <TokenChoices key={position} run={run} position={position} />}
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

function changeSentence(changed: Frame | null): string {
  if (!changed) return "It has not changed since noise.";
  return `Last changed at t = ${changed.t.toFixed(2)}, step ${changed.step}.`;
}

function tokenElement(position: number | null): HTMLElement | null {
  return document.querySelector<HTMLElement>(`.token[data-position="${position}"]`);
}

function alternatives({ tokens, topTokens, topProbabilities }: Reading, position: number, { pieces, eos }: Run) {
  const k = topTokens.length / tokens.length;
  return Array.from(topTokens.subarray(position * k, (position + 1) * k).slice(0, 6), (token, rank) => ({
    token,
    word: tokenName(token, pieces, eos),
    probability: topProbabilities[position * k + rank] ?? 0,
  }));
}

function percent(probability: number): string {
  const share = 100 * probability;
  return share > 0 && share < 1 ? "< 1 %" : `${Math.round(share)} %`;
}
