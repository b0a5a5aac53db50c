import { Popover } from "radix-ui";
import type { LoadedModel } from "../../engine/protocol";
import { backendName, formatBytes } from "../run/describe";
import { RECORDED_RUN_ID } from "../run/run";
import { useStudioStore } from "../StudioContext";
import { downloadBytes, type ModelStore } from "../stores/model";
import "./ModelChip.css";

const PRECISION = { f32: "32-bit", f16: "16-bit", q8: "8-bit", q4: "4-bit" } as const;

const STATUS_NAMES = {
  recorded: "not loaded",
  loading: "loading",
  ready: "ready",
  error: "failed to load",
  lost: "lost; loads again with the next run",
} as const;

/** Which model this is and where it stands; opens its particulars. */
export function ModelChip() {
  const model = useStudioStore("model", (state) => state);
  const recordedTitle = useStudioStore("runs", ({ runs }) => runs.find(({ id }) => id === RECORDED_RUN_ID)?.modelTitle);
  const title = model.manifest?.title ?? recordedTitle ?? model.name;
  return (
    <Popover.Root>
      <Popover.Trigger
        className="model-chip"
        data-status={model.status}
        data-testid="model-chip"
        title={model.loaded?.backendReason}
      >
        <i className="model-dot" aria-hidden="true" />
        <span className="model-title">{title}</span>
        <span className="model-state">
          {shortState(model, recordedTitle !== undefined)}
          {model.loaded && model.manifest && (
            <span className="model-size">
              {[
                kernelsOf(model.loaded),
                PRECISION[model.loaded.dtype],
                formatBytes(downloadBytes(model.manifest, model.loaded.dtype)),
              ]
                .map((detail) => ` · ${detail}`)
                .join("")}
            </span>
          )}
        </span>
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content className="model-card" sideOffset={8} collisionPadding={12} align="start">
          <h2>{title}</h2>
          {model.manifest && <p>{model.manifest.description}</p>}
          <dl>
            {particulars(model).map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
          <p className="model-privacy">It runs on this device. Nothing you do here is sent anywhere.</p>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

/** What of the backend's label its name does not say: the kernels or the threads. */
function kernelsOf({ backendLabel }: LoadedModel): string {
  return backendLabel.slice(backendLabel.indexOf(" · ") + 3);
}

function shortState({ status, loaded, progress }: ModelStore, recorded: boolean): string {
  if (status === "error" || status === "lost") return "not loaded";
  if (status === "recorded") return recorded ? "recorded" : "not loaded";
  if (loaded) return backendName(loaded.backend);
  const download = progress?.phase === "download" ? progress.download : null;
  return download
    ? `loading ${Math.floor((100 * download.loadedBytes) / Math.max(1, download.totalBytes))} %`
    : "loading";
}

function particulars({ status, manifest, loaded, choice }: ModelStore): [string, string][] {
  const rows: [string, string][] = [["State", STATUS_NAMES[status]]];
  if (loaded) rows.push(["Runs on", loaded.backendLabel], ["Because", loaded.backendReason]);
  if (manifest) {
    const { architecture, licence } = manifest;
    const dtype = loaded?.dtype ?? choice.dtype ?? manifest.defaultDtype;
    rows.push(
      ["Parameters", `${(architecture.parameters / 1e6).toFixed(1)} million, ${PRECISION[dtype]}`],
      ["Download", formatBytes(downloadBytes(manifest, choice.dtype))],
      [
        "Writes",
        `up to ${architecture.maxLength} tokens from a vocabulary of ${architecture.vocabularySize.toLocaleString("en")}`,
      ],
      ["Licence", licence],
    );
  }
  return [...rows, ["From", choice.label]];
}
