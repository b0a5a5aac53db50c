import { useState } from "react";
import { useStore } from "zustand";
import { bytesOf, filesOf } from "../../../delivery/modelFiles";
import { DTYPES, type Dtype, type Manifest } from "../../../format/manifest";
import { Button } from "../../../player/ui/Button";
import { Choice } from "../../../player/ui/Choice";
import { backendInWords } from "../../../runtime/backendInWords";
import { usualPlan } from "../../../runtime/memoryPlan";
import type { ShelfModel } from "../../session/models/library";
import { loadFromShelf } from "../../session/models/turnTo";
import type { Words } from "../../words/english";
import { LoadProgressBar } from "../generate/LoadProgressBar";
import { useStudio, useWords } from "../StudioContext";
import { DownloadBar } from "./DownloadBar";
import styles from "./ModelShelf.module.css";
import { agreementSentence, memorySentence, nearestSentence, storedSentence } from "./words";

/** One model of the shelf: what it is, what it costs, and what can be done with it. */
export function ModelCard({ model }: { model: ShelfModel }) {
  const studio = useStudio();
  const { models } = useWords();
  const { source, manifest, stored } = model;
  const current = useStore(studio.model, (state) => state);
  const isCurrent = new URL(current.choice.baseUrl, document.baseURI).href === source.baseUrl;
  return (
    <li className={styles.modelEntry} data-testid="model-entry" data-current={isCurrent}>
      <div className={styles.modelEntryHead}>
        <h3>{manifest?.title ?? source.label}</h3>
        <span>{models.badges[badge(model, isCurrent ? current.status : null)]}</span>
      </div>
      {manifest ? (
        <Particulars model={model} manifest={manifest} isCurrent={isCurrent} />
      ) : (
        <>
          <p className={styles.modelsNote}>{stored ? models.unreadableStored : models.unreadable}</p>
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
  const words = useWords();
  const { models } = words;
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
          models.parameters(architecture.parameters),
          models.upTo(architecture.maxLength),
          licence,
        ].join(" · ")}
      </p>
      {offered.length > 1 && (
        <Choice
          label={models.precisionOf(manifest.title)}
          value={dtype}
          options={offered.map((value) => ({
            value,
            label: manifest.dtypes[value]?.approximate
              ? models.approximate(models.precision[value])
              : models.precision[value],
          }))}
          onChange={setPicked}
        />
      )}
      <ul className={styles.modelEntryFacts}>
        <li>
          {`${offered.length > 1 ? "" : `${models.weights(models.precision[dtype])}, `}${storedSentence(bytesOf(filesOf(manifest, dtype)), share, words)}`}
        </li>
        {measured && <li>{agreementSentence(dtype, measured, words)}</li>}
        {plan && !plan.refusal && <li>{memorySentence(plan, words)}</li>}
        {plan?.doubt && !plan.refusal && <li lang="en">{plan.doubt}</li>}
        {isLoaded && current.loaded && (
          <li>
            <span>{models.runsOn(backendInWords(current.loaded))}</span>{" "}
            <span lang="en">{current.loaded.backendReason}</span>
          </li>
        )}
      </ul>
      {plan?.refusal && machine && (
        <p className={styles.modelEntryRefusal}>
          <span>{models.doesNotFit}</span> <span lang="en">{plan.refusal}</span>{" "}
          <span>{nearestSentence(manifest, plan, machine, words)}</span>
        </p>
      )}
      {isLoading && <LoadProgressBar />}
      {isDownloading && download && <DownloadBar download={download} />}
      <div className={styles.modelEntryButtons}>
        {isLoading || isDownloading ? (
          <Button onClick={() => void (isLoading ? studio.generation.getState() : studio.library.getState()).cancel()}>
            {models.cancel}
          </Button>
        ) : (
          <>
            <Button
              look="main"
              aria-disabled={isLoaded || Boolean(plan?.refusal)}
              title={isRunning && !isLoaded ? models.endsRun : undefined}
              onClick={() => void loadFromShelf(studio, model, dtype)}
            >
              {isLoaded ? models.inUse : models.load}
            </Button>
            {lasting && !isStored && (
              <Button
                aria-disabled={download !== null}
                onClick={() => void studio.library.getState().keep(model, dtype)}
              >
                {models.downloadOnly}
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
  const words = useWords();
  const [isAsked, setAsked] = useState(false);
  if (!isAsked) {
    return <Button onClick={() => setAsked(true)}>{words.models.delete}</Button>;
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
        {words.models.deleteBytes(words.bytes(bytes))}
      </Button>
      <Button onClick={() => setAsked(false)}>{words.models.keep}</Button>
    </>
  );
}

function badge({ source, stored }: ShelfModel, status: string | null): keyof Words["models"]["badges"] {
  if (status === "ready") return "ready";
  if (status === "loading") return "loading";
  if (status !== null) return "chosen";
  const shares = Object.values(stored?.dtypes ?? {});
  if (shares.some(({ storedBytes, totalBytes }) => storedBytes >= totalBytes)) return "stored";
  if (stored && stored.bytes > 0) return "inPart";
  return source.kind;
}
