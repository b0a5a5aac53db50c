import type { Visibility } from "../player/clock";

/** How far outside of the window an element is told that it is about to be seen. */
const MARGIN = "300px";

/** Whether anybody can see an element: its tab is in front, and some of it is in sight. Stands in for `document`. */
export class ElementVisibility extends EventTarget implements Visibility {
  /** Whether the element has been in sight, or nearly. */
  wasNear = false;
  #isInSight = false;
  readonly #stop: () => void;

  /** `onNear` is called once, when the element is in sight or nearly. */
  constructor(element: Element, onNear: () => void) {
    super();
    const changed = () => this.dispatchEvent(new Event("visibilitychange"));
    document.addEventListener("visibilitychange", changed);
    const sight = new IntersectionObserver((entries) => {
      this.#isInSight = entries.at(-1)?.isIntersecting ?? false;
      changed();
    });
    const nearness = new IntersectionObserver(
      (entries) => {
        if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
        nearness.disconnect();
        this.wasNear = true;
        onNear();
      },
      { rootMargin: MARGIN },
    );
    sight.observe(element);
    nearness.observe(element);
    this.#stop = () => {
      document.removeEventListener("visibilitychange", changed);
      sight.disconnect();
      nearness.disconnect();
    };
  }

  get hidden(): boolean {
    return document.hidden || !this.#isInSight;
  }

  stop(): void {
    this.#stop();
  }
}
