import type { Visibility } from "../player/clock";

/** How far outside of the window an element is told that it is about to be seen. */
const MARGIN = "300px";

/**
 * What a player has to know of what is around its element: whether anybody can see it, its tab being in front and some of it in
 * sight, and whether motion is unwelcome. Stands in for `document` and for the media query. It can be begun in one page after
 * another; outside of them nobody sees the element.
 */
export class Surroundings extends EventTarget implements Visibility {
  /** Whether the element has been in sight, or nearly, since it came into its page. */
  wasNear = false;
  #isInSight = false;
  #motion: MediaQueryList | undefined;
  #end = () => {};

  /** `onNear` is called once in a page, when the element is in sight or nearly. */
  constructor(
    private readonly element: Element,
    private readonly onNear: () => void,
  ) {
    super();
  }

  get hidden(): boolean {
    return this.element.ownerDocument.hidden || !this.#isInSight;
  }

  get matches(): boolean {
    return this.#motion?.matches ?? false;
  }

  /** Looks at the page that the element stands in now. */
  begin(): void {
    const page = this.element.ownerDocument;
    const view = page.defaultView ?? globalThis;
    const seen = () => this.dispatchEvent(new Event("visibilitychange"));
    const moved = () => this.dispatchEvent(new Event("change"));
    page.addEventListener("visibilitychange", seen);
    const motion = view.matchMedia("(prefers-reduced-motion: reduce)");
    this.#motion = motion;
    motion.addEventListener("change", moved);
    moved();
    const sight = new view.IntersectionObserver((entries) => {
      this.#isInSight = entries.at(-1)?.isIntersecting ?? false;
      seen();
    });
    this.wasNear = false;
    const nearness = new view.IntersectionObserver(
      (entries) => {
        if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
        nearness.disconnect();
        this.wasNear = true;
        this.onNear();
      },
      { rootMargin: MARGIN },
    );
    sight.observe(this.element);
    nearness.observe(this.element);
    this.#end = () => {
      page.removeEventListener("visibilitychange", seen);
      motion.removeEventListener("change", moved);
      sight.disconnect();
      nearness.disconnect();
      this.#isInSight = false;
      seen();
    };
  }

  end(): void {
    this.#end();
    this.#end = () => {};
  }
}
