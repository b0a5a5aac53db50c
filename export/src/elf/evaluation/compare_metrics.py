"""Compare two ways to sample, text by text: the difference of each figure, B minus A, with its confidence interval."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from elf.errors import GenerationsError, UsageError
from elf.evaluation.metrics import score_of_sums
from elf.evaluation.output_files import PerText, read_per_text
from elf.evaluation.scores import confidence_interval
from elf.progress import say


@dataclass(frozen=True)
class Arguments:
    a: Annotated[Path, tyro.conf.Positional]
    """Folder of one way to sample in the output of `elf evaluate`, or its per_text file."""
    b: Annotated[Path, tyro.conf.Positional]
    """The other, of the same sources."""
    metrics: str | None = None
    """Some of the figures, with commas between; all that both have unless given."""
    json: bool = False
    """Print one JSON object instead of a table."""


def main(arguments: Arguments) -> None:
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

    Over the texts that both have. Raises GenerationsError where the sources differ, UsageError for a figure that one
    does not have.
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
    return {"n": len(ids), "figures": {name: _difference(name, of_a[name], of_b[name]) for name in asked or both}}


def _difference(name: str, a: np.ndarray, b: np.ndarray) -> dict[str, Any]:
    score, width = score_of_sums(name), a.shape[1]

    def difference(sums: np.ndarray) -> float:
        return score(sums[width:]) - score(sums[:width])

    of_a, of_b = score(a.sum(0)), score(b.sum(0))
    interval = confidence_interval(np.hstack([a, b]), difference)
    return {"a": of_a, "b": of_b, "difference": of_b - of_a, "difference_ci": [*interval]}
