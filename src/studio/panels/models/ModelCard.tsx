import { useState } from "react";
import { useStore } from "zustand";
import { formatBytes } from "../../../delivery/bytes";
import { bytesOf, filesOf } from "../../../delivery/delivery";
import { DTYPES, type Dtype, type Manifest } from "../../../format/manifest";
import { Button } from "../../../player/ui/Button";
import { Choice } from "../../../player/ui/Choice";
import { backendInWords } from "../../../runtime/backendInWords";
import { usualPlan } from "../../../runtime/memoryPlan";
import type { ShelfModel } from "../../session/models/library";
import { loadFromShelf } from "../../session/models/turnTo";
import { LoadProgressBar } from "../generate/LoadProgressBar";
import { useStudio } from "../StudioContext";
import { DownloadBar } from "./DownloadBar";
import styles from "./ModelShelf.module.css";
import {
  agreementSentence,
  memorySentence,
  nearestSentence,
  PRECISION,
  parametersInWords,
  storedSentence,
} from "./words";

/** One model of the shelf: what it is, what it costs, and what can be done with it. */
export function ModelCard({ model }: { model: ShelfModel }) {
  const studio = useStudio();
  const { source, manifest, stored } = model;
  const current = useStore(studio.model, (state) => state);
  const isCurrent = new URL(current.choice.baseUrl, document.baseURI).href === source.baseUrl;
  return (
    <li className={styles.modelEntry} data-testid="model-entry" data-current={isCurrent}>
      <div className={styles.modelEntryHead}>
        <h3>{manifest?.title ?? source.label}</h3>
        <span>{badge(model, isCurrent ? current.status : null)}</span>
      </div>
      {manifest ? (
        <Particulars model={model} manifest={manifest} isCurrent={isCurrent} />
      ) : (
        <>
          <p className={styles.modelsNote}>
            {stored
              ? "It was stored by another version of this page and can only be deleted."
              : "It cannot be read at the moment."}
          </p>
          {stored && (
            <div className={styles.modelEntryButtons}>
              <DeleteButton model={model} bytes={stored.ownBytes} />
            </div>
          )}
        </>
      )}
    </li>
  );
}

interface ParticularsProps {
  model: ShelfModel;
  manifest: Manifest;
  isCurrent: boolean;
}

function Particulars({ model, manifest, isCurrent }: ParticularsProps) {
  const studio = useStudio();
  const current = useStore(studio.model, (state) => state);
  const isRunning = useStore(studio.generation, ({ phase }) => phase === "running");
  const { machine, lasting, download } = useStore(studio.library, (state) => state);
  const [picked, setPicked] = useState<Dtype | null>(null);
  const inUse = isCurrent ? (current.loaded?.dtype ?? current.choice.dtype) : null;
  const dtype = picked ?? inUse ?? manifest.defaultDtype;
  const offered = DTYPES.filter((one) => manifest.dtypes[one]);
  const measured = manifest.dtypes[dtype];
  const share = model.stored?.dtypes[dtype];
  const plan = machine && usualPlan(manifest, dtype, machine, studio.backend);
  const isLoading = isCurrent && current.status === "loading";
  const isDownloading = download?.baseUrl === model.source.baseUrl;
  const isLoaded = isCurrent && current.status === "ready" && inUse === dtype;
  const isStored = share !== undefined && share.storedBytes >= share.totalBytes;
  const { architecture, licence } = manifest;
  return (
    <>
      <p>{manifest.description}</p>
      <p className={styles.modelsNote}>
        {[
          model.source.label,
          parametersInWords(architecture.parameters),
          `up to ${architecture.maxLength} tokens`,
          licence,
        ].join(" · ")}
      </p>
      {offered.length > 1 && (
        <Choice
          label={`Precision of ${manifest.title}`}
          value={dtype}
          options={offered.map((value) => ({
            value,
            label: manifest.dtypes[value]?.approximate ? `${PRECISION[value]}, approximate` : PRECISION[value],
          }))}
          onChange={setPicked}
        />
      )}
      <ul className={styles.modelEntryFacts}>
        <li>
          {`${offered.length > 1 ? "" : `${PRECISION[dtype]} weights, `}${storedSentence(bytesOf(filesOf(manifest, dtype)), share)}`}
        </li>
        {measured && <li>{agreementSentence(dtype, measured)}</li>}
        {plan && !plan.refusal && <li>{memorySentence(plan)}</li>}
        {plan?.doubt && !plan.refusal && <li>{plan.doubt}</li>}
        {isLoaded && current.loaded && (
          <li>{`Runs on: ${backendInWords(current.loaded)}. ${current.loaded.backendReason}`}</li>
        )}
      </ul>
      {plan?.refusal && machine && (
        <p className={styles.modelEntryRefusal}>
          {`It does not fit here. ${plan.refusal} ${nearestSentence(manifest, plan, machine)}`}
        </p>
      )}
      {isLoading && <LoadProgressBar />}
      {isDownloading && download && <DownloadBar download={download} />}
      <div className={styles.modelEntryButtons}>
        {isLoading || isDownloading ? (
          <Button onClick={() => void (isLoading ? studio.generation.getState() : studio.library.getState()).cancel()}>
            Cancel
          </Button>
        ) : (
          <>
            <Button
              look="main"
              aria-disabled={isLoaded || Boolean(plan?.refusal)}
              title={isRunning && !isLoaded ? "Ends the run under way; what it wrote is kept." : undefined}
              onClick={() => void loadFromShelf(studio, model, dtype)}
            >
              {isLoaded ? "In use" : "Load"}
            </Button>
            {lasting && !isStored && (
              <Button
                aria-disabled={download !== null}
                onClick={() => void studio.library.getState().keep(model, dtype)}
              >
                Download only
              </Button>
            )}
            {model.stored && model.stored.bytes > 0 && <DeleteButton model={model} bytes={model.stored.ownBytes} />}
          </>
        )}
      </div>
    </>
  );
}

/** Asks once more, in its own place: what is deleted has to be downloaded again. */
function DeleteButton({ model, bytes }: { model: ShelfModel; bytes: number }) {
  const studio = useStudio();
  const [isAsked, setAsked] = useState(false);
  if (!isAsked) {
    return <Button onClick={() => setAsked(true)}>Delete…</Button>;
  }
  return (
    <>
      <Button
        look="danger"
        // It takes the place of the button that was just pressed.
        autoFocus
        onClick={() => {
          setAsked(false);
          void studio.library.getState().remove(model);
        }}
      >
        {`Delete ${formatBytes(bytes)}`}
      </Button>
      <Button onClick={() => setAsked(false)}>Keep it</Button>
    </>
  );
}

function badge({ source, stored }: ShelfModel, status: string | null): string {
  if (status === "ready") return "in use";
  if (status === "loading") return "loading";
  if (status !== null) return "chosen";
  const shares = Object.values(stored?.dtypes ?? {});
  if (shares.some(({ storedBytes, totalBytes }) => storedBytes >= totalBytes)) return "stored";
  if (stored && stored.bytes > 0) return "stored in part";
  return { shipped: "ships with the page", hub: "from the hub", address: "from elsewhere", folder: "your folder" }[
    source.kind
  ];
}
