import type { ReactNode } from "react";
import { BLUR_FROM_NATS, BLUR_FULL_NATS, DECIDED_NATS, OPEN_NATS } from "../../../player/run/certainty";
import { TokenSample } from "../../../player/stage/TokenSample";
import { BarsSample } from "../../../player/transport/BarsSample";
import { useWords } from "../StudioContext";
import styles from "./Marks.module.css";

/** As many equally likely words are as open as a word is where blur begins. */
const BLURRED_FROM = Math.round(Math.exp(BLUR_FROM_NATS));

/** Every mark of stage and track as these draw it, each with what it means. */
export function Marks() {
  const words = useWords().legend;
  return (
    <dl className={styles.marks}>
      <Mark
        means={words.sure}
        sample={[DECIDED_NATS, (DECIDED_NATS + OPEN_NATS) / 2, OPEN_NATS].map((entropy) => (
          <TokenSample key={entropy} word="so" entropy={entropy} isOpen={false} />
        ))}
      >
        {words.sureIs}
      </Mark>
      <Mark means={words.open} sample={<TokenSample word="so" entropy={BLUR_FULL_NATS} />}>
        {words.openIs(BLURRED_FROM)}
      </Mark>
      <Mark means={words.changed} sample={<TokenSample word="so" changed />}>
        {words.changedIs}
      </Mark>
      <Mark means={words.ended} sample={[<TokenSample key="end" />, <TokenSample key="after" word="so" afterEnd />]}>
        {words.endedIs}
      </Mark>
      <Mark
        means={words.held}
        sample={[<TokenSample key="held" word="so" held />, <TokenSample key="wished" word="so" wished />]}
      >
        {words.heldIs}
      </Mark>
      <Mark means={words.settled} sample={<BarsSample past={[7, 20, 12]} coming={[16, 5]} />}>
        {words.settledIs}
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
