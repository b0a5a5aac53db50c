"""A sweep of ways to sample, once it is measured: a picture of all of them, and two of them compared text by text."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from xml.sax.saxutils import escape

import numpy as np
import tyro

from elf.errors import GenerationsError, UsageError
from elf.evaluation.output_files import (
    PerText,
    Row,
    check_measured_alike,
    check_rows,
    read_metrics,
    read_per_text,
    setting_of,
)
from elf.progress import say

if TYPE_CHECKING:
    from matplotlib.axes import Axes


LOWER_IS_BETTER = {"gen_ppl": True, "bleu": False, "kept_names": False, "rougeL": False}
"""Figures of metrics.jsonl that may stand for quality."""

ENTROPY_SHARE = 0.95
"""Of real text's entropy: what has less is bought by saying the same again and again."""


@dataclass(frozen=True)
class Point:
    setting: str
    series: str
    """What makes points one line: the same sampler with other numbers of steps."""
    family: str
    """What makes them one colour: the method, and γ of the SDE."""
    quality: float
    entropy: float
    passes: int
    """Of the network, for one batch: one a step, two with guidance by the source, and one that decodes."""
    varied: bool
    """Whether its entropy is near that of real text, where that is known."""


@dataclass(frozen=True)
class Reference:
    """Real text beside the generated."""

    entropy: float
    quality: float | None


def choose_quality(rows: Sequence[Row], asked: str | None) -> str:
    """`asked`, or the first figure of LOWER_IS_BETTER that rows have. Raises UsageError where none do."""
    if asked is not None and asked not in LOWER_IS_BETTER:
        raise UsageError(f"quality {asked!r} cannot be plotted", f"Choose one of {', '.join(LOWER_IS_BETTER)}.")
    for name in [asked] if asked else LOWER_IS_BETTER:
        if any(row.get(name) is not None and row.get("entropy") is not None for row in rows):
            return name
    raise UsageError(
        f"no row has both entropy and {asked or ' or '.join(LOWER_IS_BETTER)}",
        "Evaluate with a --judge, or name another figure by --quality.",
    )


def reference_of(rows: Sequence[Row], quality: str) -> Reference | None:
    """The held-out text of the first row that has any."""
    for row in rows:
        if row.get("held_out_entropy") is not None:
            return Reference(row["held_out_entropy"], row.get(f"held_out_{quality}"))
    return None


def points_of(rows: Sequence[Row], quality: str, reference: Reference | None) -> list[Point]:
    """Of the rows that have `quality` and entropy."""
    several = len({row.get("model") for row in rows}) > 1
    points = []
    for row in rows:
        if row.get(quality) is None or row.get("entropy") is None:
            continue
        family = f"SDE, γ {row['gamma']:g}" if row["method"] == "sde" else "ODE"
        setting, model = setting_of(row), [str(row.get("model"))] if several else []
        points.append(
            Point(
                setting=", ".join([*model, setting]),
                series=", ".join([*model, setting.replace(f" {row['steps']},", ",", 1)]),
                family=", ".join([*model, family]),
                quality=row[quality],
                entropy=row["entropy"],
                passes=(row["steps"] * (2 if row["cfg"] != 1 else 1) + 1) * row.get("best_of", 1),
                varied=reference is None or row["entropy"] >= ENTROPY_SHARE * reference.entropy,
            )
        )
    return points


def pareto(points: Sequence[Point], *costs: Callable[[Point], float]) -> list[Point]:
    """The points that no other is at least as low as in all `costs` and lower in one, by the first of them."""

    def beaten(point: Point) -> bool:
        own = [cost(point) for cost in costs]
        others = ([cost(other) for cost in costs] for other in points)
        return any(other != own and all(a <= b for a, b in zip(other, own, strict=True)) for other in others)

    return sorted((point for point in points if not beaten(point)), key=costs[0])


TITLES = {
    "gen_ppl": "perplexity under the judge",
    "bleu": "BLEU",
    "kept_names": "share of the source's names kept",
    "rougeL": "ROUGE-L",
}
COLOURS = ("#56b4e9", "#0a7abf", "#e69f00", "#d55e00", "#009e73", "#cc79a7", "#8c8c8c")
"""After Okabe and Ito: told apart by the colour-blind, and visible on white and on black."""

INK, PAPER, LINES = "#1f2328", "#ffffff", "#d0d7de"
DARK = {INK: "#e6edf3", PAPER: "#0d1117", LINES: "#30363d"}


@dataclass(frozen=True)
class PlotArguments:
    metrics: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """metrics.jsonl of `elf evaluate`, or folders with one."""
    out: Path
    """SVG to write. It follows the dark or light scheme of whoever looks at it."""
    quality: str | None = None
    """gen_ppl, bleu, kept_names or rougeL; the first of these that the rows have unless given."""


def plot_sweep(arguments: PlotArguments) -> None:
    """A picture of a sweep: quality against entropy and against passes of the network, the best ways to sample
    named.

    A way is named on the left where no other has both better quality and more entropy, on the right where none has
    better quality for fewer passes. Hollow marks have less than 0.95 of real text's entropy and are named on the
    left only.
    """
    if arguments.out.suffix != ".svg":
        raise UsageError(f"{arguments.out} is no name of an SVG", "Give --out FILE.svg.")
    rows = [row for path in arguments.metrics for row in read_metrics(path)]
    quality = choose_quality(rows, arguments.quality)
    plotted = [row for row in rows if row.get(quality) is not None]
    check_rows((quality, "entropy"), plotted, "the rows")
    reference = reference_of(rows, quality)
    points = points_of(rows, quality, reference)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(picture(points, reference, quality), encoding="utf-8")
    # What the picture names, for those who cannot see it.
    for title, best in zip(("by entropy", "by passes"), best_of(points, quality), strict=True):
        print(f"best {title}:")
        for point in best:
            figures = f"{quality} {point.quality:.4g}, entropy {point.entropy:.3f}, {point.passes} passes"
            print(f"  {point.setting:32} {figures}")


def best_of(points: list[Point], quality: str) -> tuple[list[Point], list[Point]]:
    """The points named on the left and on the right."""
    sign = 1 if LOWER_IS_BETTER[quality] else -1
    left = pareto(points, lambda point: sign * point.quality, lambda point: -point.entropy)
    varied = [point for point in points if point.varied]
    return left, pareto(varied, lambda point: point.passes, lambda point: sign * point.quality)


def picture(points: list[Point], reference: Reference | None, quality: str) -> str:
    """An SVG of both panels, the best ways numbered in each and listed below."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    style: Any = {
        **{"svg.fonttype": "none", "svg.hashsalt": "elf", "font.size": 9, "axes.spines.top": False},
        **{name: INK for name in ("text.color", "axes.labelcolor", "xtick.color", "ytick.color", "axes.edgecolor")},
        **{"axes.spines.right": False, "axes.facecolor": PAPER, "figure.facecolor": PAPER, "grid.color": LINES},
    }
    with pyplot.rc_context(style):
        figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 6), sharey=True, layout="constrained")
        families = [*dict.fromkeys(point.family for point in sorted(points, key=lambda point: point.family))]
        colours = {family: COLOURS[i % len(COLOURS)] for i, family in enumerate(families)}
        best = best_of(points, quality)
        _panel(left, points, colours, lambda point: point.entropy, best[0])
        _panel(right, points, colours, lambda point: point.passes, best[1])
        left.set(xlabel="unigram entropy, nats", ylabel=TITLES[quality])
        right.set(xlabel="passes of the network")
        right.set_xscale("log", base=2)
        right.xaxis.set_major_formatter("{x:g}")
        if LOWER_IS_BETTER[quality]:
            left.set_yscale("log")
            left.yaxis.set_major_formatter("{x:g}")
            left.yaxis.set_minor_formatter("{x:g}")
        if reference:
            left.axvline(reference.entropy, color=INK, lw=0.8, ls=":")
            for axes in (left, right):
                if reference.quality is not None:
                    axes.axhline(reference.quality, color=INK, lw=0.8, ls=":")
            if reference.quality is not None:
                left.plot(reference.entropy, reference.quality, "*", ms=11, color=INK, label="real text, held out")
        for family, colour in colours.items():
            left.plot([], [], _mark(family), ms=5, color=colour, label=family)
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
        content = StringIO()
        figure.savefig(content, format="svg", metadata={"Date": None, "Creator": None})
        pyplot.close(figure)
    title = f"{TITLES[quality].capitalize()} of {len(points)} ways to sample, against entropy and passes of the network"
    return _themed(content.getvalue(), title)


def _panel(axes: "Axes", points: list[Point], colours: dict[str, str], x, named: list[Point]) -> None:
    axes.grid(True, lw=0.5)
    axes.set_axisbelow(True)
    for series in dict.fromkeys(point.series for point in points):
        line = sorted((point for point in points if point.series == series), key=lambda point: point.passes)
        colour = colours[line[0].family]
        axes.plot([x(p) for p in line], [p.quality for p in line], color=colour, lw=0.8, alpha=0.5)
    for point in points:
        colour = colours[point.family]
        fill = colour if point.varied else "none"
        axes.plot(x(point), point.quality, _mark(point.family), ms=5, mec=colour, mfc=fill)
    for number, point in enumerate(named, 1):
        place = (x(point), point.quality)
        axes.plot(*place, "o", ms=10, mec=INK, mfc="none", mew=0.8)
        axes.annotate(f"{number}", place, xytext=(6, 5), textcoords="offset points", weight="bold")
    # Below rather than beside them, where names would lie on names.
    names = [f"{number}  {point.setting}" for number, point in enumerate(named, 1)]
    axes.text(0, -0.16, "\n".join(names), transform=axes.transAxes, va="top", linespacing=1.4)


def _mark(family: str) -> str:
    return "o" if family.endswith("ODE") else "s"


def _themed(svg: str, title: str) -> str:
    """The SVG with a title for screen readers, and with other colours for whoever prefers a dark scheme."""
    rules = "".join(
        f'[style*="{kind}: {light}"]{{{kind}:{dark} !important}}'
        for light, dark in DARK.items()
        for kind in ("fill", "stroke")
    )
    # Texts whose colour is black by default do not name it.
    style = f"<style>@media (prefers-color-scheme: dark){{{rules}}}</style>"
    head = f"\\g<0> <title>{escape(title)}</title>\n {style}\n"
    themed, found = re.subn(r"<svg [^>]*>\n?", head, svg, count=1)
    assert found
    return themed.replace("<svg ", '<svg role="img" ', 1)


# --- Two ways to sample, compared text by text ----------------------------------------------------------------------


@dataclass(frozen=True)
class CompareArguments:
    a: Annotated[Path, tyro.conf.Positional]
    """Folder of one way to sample in the output of `elf evaluate`, or its per_text file."""
    b: Annotated[Path, tyro.conf.Positional]
    """The other, of the same sources."""
    metrics: str | None = None
    """Some of the figures, with commas between; all that both have unless given."""
    json: bool = False
    """Print one JSON object instead of a table."""


def compare_metrics(arguments: CompareArguments) -> None:
    """Compare two ways to sample, text by text: the difference of each figure, B minus A, with its confidence
    interval.

    Both wrote to the same sources, so each resampled set takes the same texts of both (paired bootstrap,
    Koehn 2004): what makes one source harder than another does not blur the difference. An interval that leaves
    out 0 is a difference.
    """
    a, b = read_per_text(arguments.a), read_per_text(arguments.b)
    asked = None if arguments.metrics is None else [name.strip() for name in arguments.metrics.split(",")]
    report = compare(a, b, asked)
    if arguments.json:
        print(json.dumps({"a": str(arguments.a), "b": str(arguments.b), **report}, ensure_ascii=False))
        return
    print(f"A {arguments.a}\nB {arguments.b}\n{report['n']} texts of each\n")
    print(f"{'':22} {'A':>10} {'B':>10} {'B − A':>10}  95 %")
    for name, row in report["figures"].items():
        low, high = row["difference_ci"]
        shown = f"{row['a']:10.4f} {row['b']:10.4f} {row['difference']:+10.4f}  [{low:+.4f}, {high:+.4f}]"
        print(f"{name:22} {shown}")


def compare(a: PerText, b: PerText, asked: list[str] | None = None) -> dict[str, Any]:
    """`n`, and `figures`: name → its value of a and of b, their difference, and the interval of that.

    Over the texts that both have. Raises GenerationsError where the sources differ, or what a figure was measured with,
    UsageError for a figure that one does not have.
    """
    if a.sources != b.sources:
        raise GenerationsError(
            "A and B wrote to different sources", "Compare two settings of one `elf evaluate`, or of the same --data."
        )
    in_b = {*b.ids}
    ids = [id for id in a.ids if id in in_b]
    if not ids:
        raise GenerationsError("A and B have no text of the same id", "Compare two ways to write the same texts.")
    if unused := len(a.ids) + len(b.ids) - 2 * len(ids):
        say(f"{unused} texts that only one of the two has are left out")
    of_a, of_b = a.of(ids), b.of(ids)
    both = [name for name in of_a if name in of_b]
    for name in asked or []:
        if name not in both:
            raise UsageError(f"A and B do not both have {name!r}", f"Choose among {', '.join(both)}.")
    for name in asked or both:
        check_measured_alike(name, (a.measured, b.measured), "A and B")
    return {"n": len(ids), "figures": {name: _difference(name, of_a[name], of_b[name]) for name in asked or both}}


def _difference(name: str, a: np.ndarray, b: np.ndarray) -> dict[str, Any]:
    # They load JAX, which no picture needs.
    from elf.evaluation.metrics import score_of_sums
    from elf.evaluation.scores import confidence_interval

    score, width = score_of_sums(name), a.shape[1]

    def difference(sums: np.ndarray) -> float:
        return score(sums[width:]) - score(sums[:width])

    of_a, of_b = score(a.sum(0)), score(b.sum(0))
    interval = confidence_interval(np.hstack([a, b]), difference)
    return {"a": of_a, "b": of_b, "difference": of_b - of_a, "difference_ci": [*interval]}
