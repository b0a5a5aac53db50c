import { useStore } from "zustand";
import { copyEmbed, copyLink, openPalette, showShortcuts, switchTheme } from "../../actions/view";
import { useStudio, useWords } from "../StudioContext";
import { ActionButton } from "../ui/ActionButton";
import { Icon } from "../ui/Icon";
import { DocumentationLink } from "./DocumentationLink";
import styles from "./Header.module.css";
import { ModelChip } from "./ModelChip";

export function Header() {
  const studio = useStudio();
  const words = useWords().header;
  const theme = useStore(studio.preferences, ({ theme }) => theme);
  return (
    <header className={styles.header}>
      <h1 className={styles.headerName}>
        ELF <span>Playground</span>
      </h1>
      <ModelChip />
      <div className={styles.headerTools}>
        <ActionButton action={openPalette} label={words.findCommand} className={styles.headerFind}>
          <Icon name="find" />
        </ActionButton>
        <ActionButton action={copyLink} label={words.copyLink}>
          <Icon name="share" />
        </ActionButton>
        <ActionButton action={copyEmbed} label={words.copyEmbed} className={styles.headerEmbed}>
          <Icon name="embed" />
        </ActionButton>
        <ActionButton action={switchTheme} label={words.theme[theme]}>
          <Icon name={theme} />
        </ActionButton>
        <DocumentationLink />
        <ActionButton action={showShortcuts} label={words.shortcuts}>
          <span className={styles.headerHelp}>?</span>
        </ActionButton>
      </div>
    </header>
  );
}
