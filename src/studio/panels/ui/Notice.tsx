import type { ComponentProps, ReactNode } from "react";
import { Icon } from "./Icon";
import styles from "./Notice.module.css";

interface Props extends ComponentProps<"section"> {
  /** Something that went wrong, or something that can be had. */
  readonly tone: "fault" | "offer";
  /** Buttons and links: what can be done about it. */
  readonly ways: ReactNode;
}

/** A box that tells of something and offers ways to go on. */
export function Notice({ tone, ways, children, ...box }: Props) {
  return (
    <section {...box} className={styles.notice} data-tone={tone}>
      {tone === "fault" && <Icon name="warning" />}
      <div>
        {children}
        <div className={styles.ways}>{ways}</div>
      </div>
    </section>
  );
}
