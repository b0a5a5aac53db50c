import {
  type PointerEvent,
  type ReactNode,
  useDeferredValue,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from "react";
import { useStore } from "zustand";
import type { LogitNormal } from "../../flow/schedule";
import { measureBy, newContext, paint } from "../export/canvas";
import { PALETTES, type ThemeName } from "../export/colours";
import type { Drawing } from "../export/drawing";
import { estimateWidth, type Measure } from "../export/typography";
import type { InspectionStore } from "../inspection";
import { useGround, usePlayer } from "../PlayerContext";
import type { PlaybackStore } from "../playback";
import type { PhasesByReading } from "../run/phases";
import { themeOf } from "../theme/themeOf";
import { Button } from "../ui/Button";
import { certainty } from "./certainty";
import type { Judged } from "./judged";
import styles from "./LensView.module.css";
import type { Lens, LensDrawing, LensInput, LensPlace } from "./lens";
import { numbers } from "./numbers";
import { paths } from "./paths";
import { quality } from "./quality";
import { schedule } from "./schedule";
import { ENGLISH_LENSES, type LensId, type LensWords } from "./words";

const LENSES: Readonly<Record<LensId, Lens>> = { paths, certainty, schedule, numbers, quality };

export interface LensViewProps {
  readonly id: LensId;
  readonly words?: LensWords;
  /** How the model's times are distributed, where that is known. */
  readonly logitNormal?: LogitNormal | undefined;
  /** When the words of many runs like this one settle, where they were counted. */
  readonly phases?: PhasesByReading | undefined;
  /** What a judge says of this run and of others, where one was asked. */
  readonly judged?: Judged | undefined;
  /** Told of another run that is pressed. */
  readonly onRun?: ((id: string) => void) | undefined;
  /** What an app does with a picture of a lens, such as saving it. */
  readonly actions?: ((draw: (measure?: Measure) => Drawing, lens: LensId) => ReactNode) | undefined;
  /** What is said of a run that has not what a lens shows; the lens's own words unless given. */
  readonly missing?: string | undefined;
  /** What an app offers for such a run. */
  readonly offer?: ReactNode;
  /** The end of a link to the run, which goes into the files of pictures. */
  readonly recipe?: string;
  /** What the page lets be chosen of its colours: another word, and they are looked at again. */
  readonly chosenTheme?: string;
}

/** One lens on the player's run, as a picture or as a table; both lead to the place that is pressed. */
export function LensView({
  id,
  words = ENGLISH_LENSES,
  logitNormal,
  phases: byReading,
  judged,
  onRun,
  actions,
  missing,
  offer,
  recipe = "",
  chosenTheme,
}: LensViewProps) {
  const { run: shown, display, playback, inspection, words: tokenWords } = usePlayer();
  const ground = useGround();
  // A picture of a long run takes a while: whoever presses a key meanwhile is not kept waiting by it.
  const run = useDeferredValue(useStore(shown));
  const reading = useStore(display, ({ reading }) => reading);
  const [asTable, setAsTable] = useState(false);
  const [room, setRoom] = useState<HTMLElement | null>(null);
  const width = useWidth(room);
  const theme = useTheme(room, chosenTheme);
  const lens = LENSES[id];
  const phases = byReading?.[reading];
  const input = useMemo(
    () => run && { run, reading, width, theme, words, tokenWords, logitNormal, phases, judged, measure: pageMeasure() },
    [run, reading, width, theme, words, tokenWords, logitNormal, phases, judged],
  );
  const isBegun = input && input.run.trajectory.frames.length > 0;
  const isShown = isBegun && (lens.isThere?.(input) ?? true);
  const placed = (input: LensInput): LensInput =>
    lens.moves ? { ...input, place: placeNow(playback.getState(), inspection.getState()) } : input;
  return (
    <section className={styles.lens} aria-label={words.titles[id]} ref={ground} data-lens={id}>
      <p className={styles.lensAbout}>{words.about[id]}</p>
      <div className={styles.lensRoom} style={TELLS_OF_COLOURS} ref={setRoom}>
        {!isBegun && <p>{words.notYet}</p>}
        {isBegun && !isShown && (
          <p>{input.run.status === "running" ? words.whenComplete : (missing ?? words.missing(id))}</p>
        )}
        {isBegun && !isShown && offer}
        {isShown && asTable && <TableOf lens={lens} input={input} />}
        {isShown && !asTable && width > 0 && <PictureOf lens={lens} input={input} onRun={onRun} />}
      </div>
      {isShown && (
        <p className={styles.lensActions}>
          <Button aria-pressed={asTable} onClick={() => setAsTable(!asTable)}>
            {words.asTable}
          </Button>
          {actions?.((measure) => fileDrawing(lens, { ...placed(input), ...(measure ? { measure } : {}) }, recipe), id)}
        </p>
      )}
    </section>
  );
}

function placeNow({ index }: PlaybackStore, { inspected }: InspectionStore): NonNullable<LensInput["place"]> {
  return { index, position: inspected };
}

/** What a lens is drawn by: of one that moves, with the place where the person is. */
function usePlaced({ moves = false }: Lens, input: LensInput): LensInput {
  const { playback, inspection } = usePlayer();
  const index = useStore(playback, ({ index }) => (moves ? index : 0));
  const position = useStore(inspection, ({ inspected }) => (moves ? inspected : null));
  return useMemo(() => (moves ? { ...input, place: { index, position } } : input), [moves, input, index, position]);
}

/** The lens as a file has it: on paper, with what it says and the recipe of its run. */
function fileDrawing(lens: Lens, input: LensInput, recipe: string): Drawing {
  const { run, words, theme } = input;
  const { width, height, text, rectangles, lines, curves = [], dots = [] } = lens.draw(input);
  const margin = 16;
  const moved = <T extends { readonly x: number; readonly y: number }>(thing: T): T => ({
    ...thing,
    x: thing.x + margin,
    y: thing.y + margin,
  });
  const size = { width: Math.ceil(width) + 2 * margin, height: Math.ceil(height) + 2 * margin };
  return {
    ...size,
    rectangles: [{ x: 0, y: 0, ...size, colour: PALETTES[theme].paper }, ...rectangles.map(moved)],
    curves: curves.map((curve) => ({
      ...curve,
      points: curve.points.map(([x, y]) => [x + margin, y + margin] as const),
    })),
    dots: dots.map(moved),
    lines: lines.map(moved),
    title: words.titles[lens.id],
    text,
    note: JSON.stringify({ "elf-playground": 1, model: run.trajectory.model, lens: lens.id, recipe }),
  };
}

function PictureOf({ lens, input, onRun }: { lens: Lens; input: LensInput; onRun: LensViewProps["onRun"] }) {
  const { playback, inspection } = usePlayer();
  const canvas = useRef<HTMLCanvasElement>(null);
  const placed = usePlaced(lens, input);
  const drawing = useMemo(() => lens.draw(placed), [lens, placed]);
  useLayoutEffect(() => {
    if (canvas.current) paintSharp(drawing, canvas.current);
  }, [drawing]);

  const placeOf = ({ clientX, clientY }: PointerEvent): LensPlace | null => {
    const box = canvas.current?.getBoundingClientRect();
    return box ? drawing.at(clientX - box.left, clientY - box.top) : null;
  };
  const seek = (event: PointerEvent) => {
    const place = placeOf(event);
    if (!place) return;
    if ("run" in place) return onRun?.(place.run);
    playback.getState().seek(place.index);
    const { pinned, inspected, pin } = inspection.getState();
    // Pressed again it stays: here it is a place that is gone to, not a card that is put away.
    if (place.position !== undefined && !(pinned && inspected === place.position)) pin(place.position);
  };
  return (
    <div
      className={styles.lensPicture}
      style={{ height: drawing.height }}
      onPointerDown={(event) => event.button === 0 && seek(event)}
      onPointerMove={(event) => {
        const place = event.pointerType === "mouse" ? placeOf(event) : null;
        if (place && !("run" in place)) inspection.getState().glance(place.position ?? null);
        else if (event.pointerType === "mouse") inspection.getState().glance(null);
      }}
      onPointerLeave={() => inspection.getState().glance(null)}
    >
      <canvas ref={canvas} role="img" aria-label={drawing.text} />
      <Marks drawing={drawing} />
    </div>
  );
}

/** Where the person is: all that changes while time goes by. */
function Marks({ drawing }: { drawing: LensDrawing }) {
  const { playback, inspection } = usePlayer();
  const index = useStore(playback, ({ index }) => index);
  const position = useStore(inspection, ({ inspected }) => inspected);
  return drawing.mark(index, position).map(({ x, y, width, height, colour }, i) => (
    <i
      // biome-ignore lint/suspicious/noArrayIndexKey: marks have no other name than their order.
      key={i}
      className={styles.lensMark}
      style={{ transform: `translate(${x}px, ${y}px)`, width, height, background: colour }}
    />
  ));
}

function TableOf({ lens, input }: { lens: Lens; input: LensInput }) {
  const { heads, rows } = lens.table(usePlaced(lens, input));
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard.
    <section className={styles.lensTable} tabIndex={0} aria-label={input.words.titles[lens.id]}>
      <table>
        <thead>
          <tr>
            {heads.map((head) => (
              <th key={head} scope="col">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, at) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: rows are told apart by their place alone.
            <tr key={at}>
              {row.map((cell, column) => (
                <td key={heads[column]}>{cell}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function paintSharp(drawing: LensDrawing, canvas: HTMLCanvasElement): void {
  const sharp = devicePixelRatio || 1;
  const [width, height] = [drawing.width, drawing.height].map((side) => Math.round(side * sharp)) as [number, number];
  const context = canvas.getContext("2d");
  if (!context) return;
  // A canvas that is given its size again is made anew, which is slow while time goes by.
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  context.resetTransform();
  context.clearRect(0, 0, width, height);
  context.scale(sharp, sharp);
  paint(drawing, context);
}

let measure: Measure | undefined;

/** By the fonts of the page. */
function pageMeasure(): Measure {
  const context = measure ? null : newContext();
  measure ??= context ? measureBy(context) : estimateWidth;
  return measure;
}

function useWidth(element: HTMLElement | null): number {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    if (!element) return;
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry?.contentRect.width ?? 0)));
    observer.observe(element);
    return () => observer.disconnect();
  }, [element]);
  return width;
}

/** An outline that nobody sees moves when the element comes into another colour scheme: nothing else tells of that. */
const TELLS_OF_COLOURS = { outlineColor: "light-dark(#000, #fff)", transition: "outline-color 0s 1ms" };

/** The colours that the element is seen in, also when the system changes them, or the page, which may say `chosen` anew. */
function useTheme(element: HTMLElement | null, chosen: string | undefined): ThemeName {
  const [theme, setTheme] = useState<ThemeName>("light");
  // biome-ignore lint/correctness/useExhaustiveDependencies: the colours are looked at again when the page has chosen others.
  useEffect(() => {
    if (!element) return;
    const look = () => setTheme(themeOf(element));
    look();
    const system = matchMedia("(prefers-color-scheme: dark)");
    system.addEventListener("change", look);
    element.addEventListener("transitionrun", look);
    return () => {
      system.removeEventListener("change", look);
      element.removeEventListener("transitionrun", look);
    };
  }, [element, chosen]);
  return theme;
}
