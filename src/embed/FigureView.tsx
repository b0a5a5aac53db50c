import { useEffect, useLayoutEffect, useRef } from "react";
import { useStore } from "zustand";
import type { NamedProblem } from "../flow/errors";
import type { LensId } from "../player/lenses/words";
import { PlayerProvider } from "../player/PlayerContext";
import { PlayerView } from "../player/PlayerView";
import { Button } from "../player/ui/Button";
import { Icon } from "../player/ui/Icon";
import type { Figure } from "./figure";
import type { FigureState, Work } from "./figureState";
import type { Words } from "./words";

/** All that is seen of an element, in its shadow root. */
export function FigureView({ figure }: { figure: Figure }) {
  const { stage, problem, options, title, work, typed, LensView, isFindingPaths } = useStore(figure.state);
  const { player, words } = figure.seat;
  useFocusKept(figure);
  const canWrite = options.model !== "" && options.controls.includes("generate");
  if (stage !== "shown") return <Poster figure={figure} stage={stage} problem={problem} words={words} />;
  return (
    <div className="player figure" part="figure" data-controls={options.controls.join(" ")}>
      <div className="figure-looks">
        <PlayerView
          player={player}
          label={words.label(title)}
          stage={{ slots: { empty: <p className="figure-empty">{words.empty}</p> }, isComing: work.kind === "writing" }}
        />
        {options.lens !== "text" && (
          <FigureLens
            figure={figure}
            id={options.lens}
            theme={options.theme}
            View={LensView}
            missing={isFindingPaths ? words.lensComes : undefined}
          />
        )}
      </div>
      {canWrite && <Bar figure={figure} work={work} options={options} typed={typed} words={words} />}
      {problem && <Fault figure={figure} problem={problem} words={words} />}
      <div className="figure-caption" part="caption">
        <slot name="caption" />
      </div>
    </div>
  );
}

/** Leads the keyboard on where what it was at goes away, as a button that has been pressed: out of the element it would fall. */
function useFocusKept({ element, state }: Figure): void {
  const root = element.shadowRoot;
  const isLost = useRef(false);
  const focused = root?.activeElement;
  useLayoutEffect(() => {
    if (focused && !focused.isConnected) isLost.current = true;
    // Whoever has gone elsewhere meanwhile is not fetched back.
    const { activeElement, body } = element.ownerDocument;
    if (activeElement && activeElement !== body) isLost.current = false;
    if (!isLost.current || !root) return;
    for (const place of root.querySelectorAll<HTMLElement>(NEXT)) {
      place.focus();
      if (root.activeElement) break;
    }
    // Once it is somewhere, or nothing more is awaited that it could be led to, it is the reader's.
    const { stage, work } = state.getState();
    isLost.current = !root.activeElement && (stage === "loading" || work.kind !== "none");
  });
}

/** Where the keyboard is led, by their order on the page: to Play, to Generate, or to what is there instead. */
const NEXT = '[data-piece="buttons"] > :nth-child(2), .figure-generate, .figure-problem button, .figure-open';

interface FigureLensProps extends Pick<FigureState["options"], "theme"> {
  readonly figure: Figure;
  readonly id: LensId;
  readonly View: FigureState["LensView"];
  readonly missing: string | undefined;
}

/** A picture of the run, at the time of its player. */
function FigureLens({ figure, id, theme, View, missing }: FigureLensProps) {
  const { player, words } = figure.seat;
  useEffect(() => void figure.wantLens(), [figure]);
  return (
    <div className="figure-lens" part="lens">
      <PlayerProvider value={player}>
        {View ? (
          <View id={id} chosenTheme={theme} missing={missing} {...(words.lenses && { words: words.lenses })} />
        ) : (
          <p>{words.lensComes}</p>
        )}
      </PlayerProvider>
    </div>
  );
}

interface FaultProps {
  readonly figure: Figure;
  readonly problem: NamedProblem;
  readonly words: Words;
}

function Fault({ figure, problem, words }: FaultProps) {
  return (
    <div className="player figure-problem" part="error" role="alert" data-code={problem.code}>
      <slot name="error">
        <b>{problem.name}</b> {problem.message} {problem.action}
      </slot>
      <span className="figure-problem-buttons">
        <Button className="figure-button" onClick={() => figure.retry()}>
          {words.retry}
        </Button>
        <Button className="figure-button" onClick={() => figure.dismiss()}>
          {words.dismiss}
        </Button>
      </span>
    </div>
  );
}

interface PosterProps extends Omit<FaultProps, "problem"> {
  readonly stage: FigureState["stage"];
  readonly problem: NamedProblem | null;
}

/** What the page itself has of the run, its text or its poster, where it stood before there was a script. */
function Poster({ figure, stage, problem, words }: PosterProps) {
  return (
    <div className="figure-poster" part="poster">
      <slot />
      {stage === "poster" && !problem && (
        <button
          type="button"
          className="player figure-open"
          part="poster-button"
          // What goes wrong is said in the box.
          onClick={() => figure.open().catch(() => {})}
        >
          <slot name="poster" />
          <span className="figure-open-words">
            <Icon name="play" size={22} />
            {words.show}
          </span>
        </button>
      )}
      {stage === "loading" && (
        <p className="player figure-loading">
          <slot name="loading">{words.loadingTrace}</slot>
        </p>
      )}
      {problem && <Fault figure={figure} problem={problem} words={words} />}
    </div>
  );
}

interface BarProps {
  readonly figure: Figure;
  readonly work: Work;
  readonly options: FigureState["options"];
  readonly typed: string | null;
  readonly words: Words;
}

/** What has the model write, and how far that is. */
function Bar({ figure, work, options, typed, words }: BarProps) {
  const isBusy = work.kind !== "none";
  const press = () => {
    if (isBusy) figure.cancel();
    // What goes wrong is said in the box.
    else figure.generate(typed === null ? {} : { prompt: typed }).catch(() => {});
  };
  return (
    // No form: a sandbox without `allow-forms` would keep it from being sent.
    <div className="figure-bar" part="bar">
      {options.controls.includes("prompt") && (
        <input
          className="figure-prompt"
          part="prompt"
          aria-label={words.prompt}
          placeholder={words.prompt}
          value={typed ?? options.prompt}
          onChange={(event) => figure.type(event.target.value)}
          onKeyDown={(event) => {
            // The Enter that ends what an input method composes is not one to write by; Safari tells it by its code alone.
            const isComposed = event.nativeEvent.isComposing || event.keyCode === 229;
            if (event.key === "Enter" && !isComposed && !isBusy) press();
          }}
        />
      )}
      <Button look="main" className="figure-button figure-generate" part="generate" onClick={press}>
        {isBusy ? words.stop : words.generate}
      </Button>
      <div className="figure-work" part="work">
        <span role="status">{isBusy ? saysOf(work, words) : whatItTakes(figure, words)}</span>
        <Bytes work={work} words={words} />
      </div>
    </div>
  );
}

function saysOf(work: Work, words: Words): string {
  if (work.kind === "waiting") return words.waiting(work.ahead);
  if (work.kind === "writing") return words.writing;
  const progress = work.kind === "loading" ? work.progress : null;
  if (progress === null || progress.phase === "manifest") return words.asking;
  if (progress.phase === "download") return words.loading ?? words.asking;
  return words.preparing;
}

/** How far a download is, which changes many times in a second: it can be asked for, and is not said aloud. */
function Bytes({ work, words }: Pick<BarProps, "work" | "words">) {
  const progress = work.kind === "loading" ? work.progress : null;
  if (progress?.phase !== "download") return null;
  const { loadedBytes, totalBytes } = progress;
  const said = words.downloading(loadedBytes, totalBytes);
  return (
    <>
      {" "}
      <span
        role="progressbar"
        aria-label={words.loading ?? words.asking}
        aria-valuenow={loadedBytes}
        aria-valuemax={totalBytes}
        aria-valuetext={said}
      >
        {said}
      </span>
    </>
  );
}

/** What pressing Generate will cost, before it is pressed; and what it will cost again, where nothing may be kept. */
function whatItTakes(figure: Figure, words: Words): string {
  const { isLasting } = figure.state.getState();
  const place = figure.place();
  if (isLasting === false) return words.notKept;
  if (!place || isLasting === true) return "";
  return [words.loads(place.host), ...(isForeignFrame() ? [words.loadsAgain] : [])].join(" ");
}

/** Whether the page stands in a frame of another site, whose storage browsers keep apart from that of the page itself. */
function isForeignFrame(): boolean {
  try {
    return window.top !== window && window.top?.location.origin !== location.origin;
  } catch {
    return true;
  }
}
