import { useStore } from "zustand";
import { copyEmbed, copyLink, openPalette, showShortcuts, switchTheme } from "../../actions/view";
import { useStudio } from "../StudioContext";
import { ActionButton } from "../ui/ActionButton";
import { Icon } from "../ui/Icon";
import { DocumentationLink } from "./DocumentationLink";
import styles from "./Header.module.css";
import { ModelChip } from "./ModelChip";

export function Header() {
  const studio = useStudio();
  const theme = useStore(studio.preferences, ({ theme }) => theme);
  return (
    <header className={styles.header}>
      <h1 className={styles.headerName}>
        ELF <span>Playground</span>
      </h1>
      <ModelChip />
      <div className={styles.headerTools}>
        <ActionButton action={openPalette} label="Find a command" className={styles.headerFind}>
          <Icon name="find" />
        </ActionButton>
        <ActionButton action={copyLink} label="Copy a link to this run">
          <Icon name="share" />
        </ActionButton>
        <ActionButton action={copyEmbed} label="Copy as embed" className={styles.headerEmbed}>
          <Icon name="embed" />
        </ActionButton>
        <ActionButton action={switchTheme} label={`Theme: ${theme}`}>
          <Icon name={theme} />
        </ActionButton>
        <DocumentationLink />
        <ActionButton action={showShortcuts} label="Keyboard shortcuts">
          <span className={styles.headerHelp}>?</span>
        </ActionButton>
      </div>
    </header>
  );
}
