import { Tooltip } from "radix-ui";
import { iconButtonClass } from "../../../player/ui/IconButton";
import { ariaShortcuts } from "../../actions/action";
import { DOCUMENTATION, openDocumentation } from "../../actions/documentation";
import { useWords } from "../StudioContext";
import { Icon } from "../ui/Icon";
import { Shortcuts } from "../ui/Shortcuts";
import tooltip from "../ui/Tooltip.module.css";

/** A link, which can be opened as links are; nothing where there is no documentation to lead to. */
export function DocumentationLink() {
  const { header } = useWords();
  if (DOCUMENTATION === "") return null;
  return (
    <Tooltip.Root>
      <Tooltip.Trigger asChild>
        <a
          className={iconButtonClass({})}
          href={DOCUMENTATION}
          target="_blank"
          rel="noopener"
          aria-label={header.documentation}
          aria-keyshortcuts={ariaShortcuts(openDocumentation.shortcuts)}
        >
          <Icon name="documentation" />
        </a>
      </Tooltip.Trigger>
      <Tooltip.Portal>
        <Tooltip.Content className={tooltip.tooltip} sideOffset={6} collisionPadding={8}>
          <span>{header.documentation}</span> <Shortcuts shortcuts={openDocumentation.shortcuts} />
        </Tooltip.Content>
      </Tooltip.Portal>
    </Tooltip.Root>
  );
}
