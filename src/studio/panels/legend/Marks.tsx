import type { ReactNode } from "react";
import { BLUR_FROM_NATS, BLUR_FULL_NATS, DECIDED_NATS, OPEN_NATS } from "../../../player/run/certainty";
import { TokenSample } from "../../../player/stage/TokenSample";
import { BarsSample } from "../../../player/transport/BarsSample";
import styles from "./Marks.module.css";

/** As many equally likely words are as open as a word is where blur begins. */
const BLURRED_FROM = Math.round(Math.exp(BLUR_FROM_NATS));

/** Every mark of stage and track as these draw it, each with what it means. */
export function Marks() {
  return (
    <dl className={styles.marks}>
      <Mark
        means="How sure the model is"
        sample={[DECIDED_NATS, (DECIDED_NATS + OPEN_NATS) / 2, OPEN_NATS].map((entropy) => (
          <TokenSample key={entropy} word="so" entropy={entropy} isOpen={false} />
        ))}
      >
        Full ink is decided. The fainter and more violet, the more other words could stand there; in a finished text,
        too.
      </Mark>
      <Mark means="Not decided yet" sample={<TokenSample word="so" entropy={BLUR_FULL_NATS} />}>
        Blurred: over {BLURRED_FROM} words would do as well. The last step leaves none blurred.
      </Mark>
      <Mark means="Just changed" sample={<TokenSample word="so" changed />}>
        Orange: another word stood here one step ago. It fades while you look.
      </Mark>
      <Mark means="Past the end" sample={[<TokenSample key="end" />, <TokenSample key="after" word="so" afterEnd />]}>
        The violet square ends the text; what stands grey behind it is no part of it.
      </Mark>
      <Mark
        means="Held"
        sample={[<TokenSample key="held" word="so" held />, <TokenSample key="wished" word="so" wished />]}
      >
        Double line: you held it in this run. Dots: the next run will.
      </Mark>
      <Mark means="Settled" sample={<BarsSample past={[7, 20, 12]} coming={[16, 5]} />}>
        A bar for the words that change no more after a step; pale where the time shown has not come to it.
      </Mark>
    </dl>
  );
}

function Mark({ means, sample, children }: { means: string; sample: ReactNode; children: ReactNode }) {
  return (
    <div className={styles.mark}>
      <dt>
        <span className={styles.sample} aria-hidden="true" translate="no">
          {sample}
        </span>
        {means}
      </dt>
      <dd>{children}</dd>
    </div>
  );
}
