import { RUN_FILES } from "../session/kept/fileNames";
import type { Action } from "./action";

/** What can be dropped on the page, picked: without a mouse, and where nothing can be dragged. */
export const openFile: Action = {
  id: "open-file",
  group: "View",
  shortcuts: [],
  enabled: () => true,
  run: ({ openFiles, view }) => {
    const picker = document.createElement("input");
    Object.assign(picker, { type: "file", multiple: true, accept: RUN_FILES.join(), hidden: true });
    picker.onchange = picker.oncancel = () => {
      picker.remove();
      if (!picker.files?.length) return;
      // What is opened is to be seen.
      view.getState().openSaving(false);
      void openFiles(Array.from(picker.files));
    };
    // Some browsers forget one that is in no document before anything is picked.
    document.body.append(picker);
    picker.click();
  },
};
