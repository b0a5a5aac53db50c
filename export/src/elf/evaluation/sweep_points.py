"""The rows of a sweep as points: how good, how varied, how costly, and which of them no other beats."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from elf.errors import UsageError
from elf.evaluation.metrics_file import Row, setting_of

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
                passes=row["steps"] * (2 if row["cfg"] != 1 else 1) + 1,
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
