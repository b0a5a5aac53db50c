import { useEffect, useState } from "react";
import { useStore } from "zustand";
import type { NamedProblem } from "../flow/errors";
import type { LensId } from "../player/lenses/words";
import { PlayerProvider } from "../player/PlayerContext";
import { PlayerView } from "../player/PlayerView";
import { Button } from "../player/ui/Button";
import { Icon } from "../player/ui/Icon";
import type { Figure, FigureState, Work } from "./figure";
import type { Words } from "./words";

/** All that is seen of an element, in its shadow root. */
export function FigureView({ figure }: { figure: Figure }) {
  const { stage, problem, options, title, work } = useStore(figure.state);
  const { player, words } = figure.seat;
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
        {options.lens !== "text" && <FigureLens figure={figure} id={options.lens} />}
      </div>
      {canWrite && <Bar figure={figure} work={work} options={options} words={words} />}
      {problem && <Fault figure={figure} problem={problem} words={words} />}
      <div className="figure-caption" part="caption">
        <slot name="caption" />
      </div>
    </div>
  );
}

/** A picture of the run, at the time of its player. */
function FigureLens({ figure, id }: { figure: Figure; id: LensId }) {
  const { player, words } = figure.seat;
  const [View, setView] = useState<Awaited<ReturnType<Figure["lensView"]>>>(null);
  useEffect(() => {
    let isHere = true;
    void figure.lensView().then((view) => isHere && setView(() => view));
    return () => {
      isHere = false;
    };
  }, [figure]);
  return (
    <div className="figure-lens" part="lens">
      <PlayerProvider value={player}>
        {View ? <View id={id} {...(words.lenses && { words: words.lenses })} /> : <p>{words.lensComes}</p>}
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
  readonly words: Words;
}

/** What has the model write, and how far that is. */
function Bar({ figure, work, options, words }: BarProps) {
  const [prompt, setPrompt] = useState(options.prompt);
  /** What the reader has typed over the attribute's prompt; null while that is untouched, and empty where it was cleared. */
  const [typed, setTyped] = useState<string | null>(null);
  // The page has set another one since.
  if (prompt !== options.prompt) {
    setPrompt(options.prompt);
    setTyped(null);
  }
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
          onChange={(event) => setTyped(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter" && !isBusy) press();
          }}
        />
      )}
      <Button look="main" className="figure-button figure-generate" part="generate" onClick={press}>
        {isBusy ? words.stop : words.generate}
      </Button>
      <p className="figure-work" part="work" role="status">
        {isBusy ? saysOf(work, words) : whatItTakes(figure, words)}
      </p>
    </div>
  );
}

function saysOf(work: Work, words: Words): string {
  if (work.kind === "waiting") return words.waiting(work.ahead);
  if (work.kind === "writing") return words.writing;
  const progress = work.kind === "loading" ? work.progress : null;
  if (progress === null || progress.phase === "manifest") return words.asking;
  if (progress.phase === "download") return words.downloading(progress.loadedBytes, progress.totalBytes);
  return words.preparing;
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
