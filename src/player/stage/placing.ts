import { autoUpdate, computePosition, flip, limitShift, offset, shift } from "@floating-ui/dom";

/** Pixels between a token and its card, and between the card and the edges of the window. */
const GAP = 10;
const MARGIN = 12;

/** Keeps `card` under `token`, or above it where there is more room, while the page scrolls and changes. Returns what stops it. */
export function placeBy(token: Element, card: HTMLElement): () => void {
  return autoUpdate(token, card, async () => {
    const { x, y } = await computePosition(token, card, {
      strategy: "fixed",
      placement: "bottom",
      middleware: [offset(GAP), shift({ padding: MARGIN, limiter: limitShift() }), flip({ padding: MARGIN })],
    });
    const pixels = card.ownerDocument.defaultView?.devicePixelRatio ?? 1;
    const whole = (length: number) => Math.round(length * pixels) / pixels;
    card.style.transform = `translate(${whole(x)}px, ${whole(y)}px)`;
  });
}
