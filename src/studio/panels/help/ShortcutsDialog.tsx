import { Dialog } from "radix-ui";
import { useStore } from "zustand";
import { ACTIONS } from "../../actions/all";
import { useStudio } from "../StudioContext";
import { Icon } from "../ui/Icon";
import { Shortcuts } from "../ui/Shortcuts";
import "./ShortcutsDialog.css";

const GROUPS = ["Writing", "Time", "View"] as const;

export function ShortcutsDialog() {
  const studio = useStudio();
  const open = useStore(studio.view, ({ shortcutsOpen }) => shortcutsOpen);
  const letterKeys = useStore(studio.preferences, ({ letterKeys }) => letterKeys);
  return (
    <Dialog.Root open={open} onOpenChange={studio.view.getState().openShortcuts}>
      <Dialog.Portal>
        <Dialog.Overlay className="dialog-veil" />
        <Dialog.Content className="dialog" data-modal aria-describedby={undefined}>
          <div className="dialog-head">
            <Dialog.Title>Keyboard</Dialog.Title>
            <Dialog.Close className="action-button" aria-label="Close">
              <Icon name="close" />
            </Dialog.Close>
          </div>
          <div className="dialog-groups">
            {GROUPS.map((group) => (
              <section key={group}>
                <h3>{group}</h3>
                <ul>
                  {ACTIONS.filter((action) => action.group === group).map(({ id, label, shortcuts }) => (
                    <li key={id}>
                      <span>{label}</span>
                      <Shortcuts shortcuts={shortcuts} spoken />
                    </li>
                  ))}
                </ul>
              </section>
            ))}
          </div>
          <p className="dialog-note">In the text, Tab reaches the tokens; arrows move from one to the next.</p>
          <label className="dialog-switch">
            <input
              type="checkbox"
              checked={letterKeys}
              onChange={({ target }) => studio.preferences.getState().set({ letterKeys: target.checked })}
            />
            Shortcuts of a single letter or sign
          </label>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
