/** The page `embed.html`, for pages that let no script of others in: the element alone, by the address of the frame. */
import { problemOf } from "../flow/errors";
import { ATTRIBUTE_NAMES, ownHeight } from "./attributes";
import { EVENT_NAMES } from "./events";
import { FRAME_VERSION, type FrameCall, type FrameMessage, originIn, readCall } from "./frameProtocol";
import type { ElfPlayground } from "./main";
import "./main";

const element = document.createElement("elf-playground");
const asked = new URLSearchParams(location.search);
for (const name of ATTRIBUTE_NAMES) {
  const value = asked.get(name);
  if (value !== null) element.setAttribute(name, value);
}
// The recipe stands behind the #, as in a link to the page, so that no server sees it.
if (location.hash.length > 1) element.recipe = location.hash;
document.documentElement.lang = asked.get("lang") ?? "en";

type Told = FrameMessage extends infer Message ? (Message extends unknown ? Omit<Message, "elf"> : never) : never;

try {
  const origin = originIn(location.search);
  if (origin !== null && window.parent !== window) speakWith(origin);
} catch (error) {
  const { name, message, action } = problemOf(error);
  console.error(`embed.html ${name}: ${message} ${action}`);
}
document.body.append(element);

function speakWith(origin: string): void {
  const tell = (message: Told) => window.parent.postMessage({ elf: FRAME_VERSION, ...message }, origin);
  for (const name of EVENT_NAMES) {
    element.addEventListener(name, ({ detail }: CustomEvent) => tell({ type: "event", name, detail }));
  }
  addEventListener("message", async ({ data, origin: from, source }) => {
    if (from !== origin || source !== window.parent) return;
    const call = readCall(data);
    if (!call) return;
    const { id } = call;
    try {
      if ("error" in call) throw call.error;
      tell({ type: "answer", id, result: (await answerTo(element, call)) ?? null, problem: null });
    } catch (error) {
      tell({ type: "answer", id, result: null, problem: problemOf(error) });
    }
  });
  tell({ type: "ready" });
  tell({ type: "height", height: ownHeight(element.lens, element.getAttribute("height")) });
}

async function answerTo(figure: ElfPlayground, call: FrameCall): Promise<unknown> {
  if (call.method === "seek") return figure.seek(call.argument);
  // Settings are checked by the engine, by name.
  if (call.method === "generate") return figure.generate(call.argument as Parameters<ElfPlayground["generate"]>[0]);
  return figure[call.method]();
}
