import { useEffect, useId, useRef } from "react";
import { Button } from "../../../player/ui/Button";
import { IconButton } from "../../../player/ui/IconButton";
import { DOCUMENTATION, documentationPage } from "../../actions/documentation";
import { experimentOn } from "../../actions/experiments";
import { goToStop } from "../../actions/tour";
import { type Experiment, experimentNamed } from "../../session/experiments/experiments";
import { STOPS, type Stop } from "../../session/tour/stops";
import { useStudio, useWords } from "../StudioContext";
import { Icon } from "../ui/Icon";
import { useAction } from "../ui/useAction";
import styles from "./TourCard.module.css";

/** One stop of the tour, beside the live page and not over it: everything on the page can be taken hold of meanwhile. */
export function TourCard({ at }: { at: number }) {
  const studio = useStudio();
  const id = useId();
  const next = useRef<HTMLButtonElement>(null);
  const before = useRef<Element>(null);
  const { experiment, id: chapter } = STOPS[at] as Stop;
  const words = useWords().tour;
  const { title, text } = words.stops[chapter];
  const shown = experiment === undefined ? undefined : experimentNamed(experiment);
  const isLast = at === STOPS.length - 1;

  // The keyboard leads: it is on the way on, stop after stop, and goes back to where it was.
  useEffect(() => {
    before.current = document.activeElement;
    next.current?.focus({ preventScroll: true });
  }, []);
  const leave = () => {
    studio.tour.getState().leave();
    if (before.current instanceof HTMLElement) before.current.focus({ preventScroll: true });
  };

  return (
    <section
      className={styles.tour}
      aria-labelledby={`${id}-title`}
      data-testid="tour"
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.preventDefault();
        leave();
      }}
    >
      <div aria-live="polite">
        <p className={styles.tourCount}>{words.count(at + 1, STOPS.length)}</p>
        <h2 id={`${id}-title`}>{title}</h2>
        <p>{text}</p>
      </div>
      <div className={styles.tourWays}>
        {at > 0 && <Button onClick={() => goToStop(studio, at - 1)}>{words.back}</Button>}
        <Button ref={next} look="main" onClick={() => (isLast ? leave() : goToStop(studio, at + 1))}>
          {isLast ? words.done : words.next}
        </Button>
        {shown && <ShowIt experiment={shown} />}
        {DOCUMENTATION !== "" && (
          <a href={documentationPage(`how/${chapter}.html`)} target="_blank" rel="noopener">
            {words.more}
          </a>
        )}
      </div>
      <IconButton className={styles.tourLeave} label={words.leave} onPress={leave}>
        <Icon name="close" />
      </IconButton>
    </section>
  );
}

/** The runs that show it, where they can be made of the run on the stage. */
function ShowIt({ experiment }: { experiment: Experiment }) {
  const show = useAction(experimentOn(experiment));
  const words = useWords();
  if (show["aria-disabled"]) return null;
  return (
    <Button {...show} title={experiment.title(words)}>
      {words.tour.showMe}
    </Button>
  );
}
