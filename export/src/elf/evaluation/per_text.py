"""`per_text_<epoch>_<step>.jsonl`: what each text of one way to sample adds to each figure.

So that two ways can be compared text by text without measuring again. Beside it lie the texts and
`settings_<epoch>_<step>.json`, which says how they were made (`generation_file`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from elf.disk import written_whole
from elf.errors import GenerationsError
from elf.evaluation.generations import Id

AGAIN = (
    "Run its `elf evaluate` again: the texts are kept, and measured anew where their row in metrics.jsonl is missing."
)


@dataclass(frozen=True)
class PerText:
    ids: list[Id]
    statistics: dict[str, np.ndarray]
    """Figure → (n, k), as `Scores.statistics`."""
    sources: str | None
    """What tells the sources of one evaluation from those of another; None without sources."""

    def of(self, ids: Sequence[Id]) -> dict[str, np.ndarray]:
        """The statistics of these texts, in this order."""
        place = {id: row for row, id in enumerate(self.ids)}
        rows = [place[id] for id in ids]
        return {name: values[rows] for name, values in self.statistics.items()}


def per_text_file(folder: Path, epoch: int, step: int) -> Path:
    return folder / f"per_text_{epoch}_{step}.jsonl"


def write_per_text(path: Path, ids: Sequence[Id], statistics: Mapping[str, np.ndarray]) -> None:
    """Replaces the file in one step."""
    with written_whole(path) as beside, beside.open("w", encoding="utf-8") as file:
        for row, id in enumerate(ids):
            figures = {name: values[row].tolist() for name, values in statistics.items()}
            file.write(json.dumps({"id": id, **figures}, ensure_ascii=False) + "\n")


def read_per_text(path: Path) -> PerText:
    """Of the file, or of the one in the folder. Raises GenerationsError for none, several, or another shape."""
    if path.is_dir():
        files = sorted(path.glob("per_text_*.jsonl"))
        if len(files) != 1:
            found = ", ".join(file.name for file in files) or "no per_text_*.jsonl"
            raise GenerationsError(f"{path} holds {found}", "Name one of them." if files else AGAIN)
        path = files[0]
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
        ids = [row.pop("id") for row in rows]
        statistics = {name: np.array([row[name] for row in rows], np.float64) for name in rows[0]}
        record = path.with_name(path.name.replace("per_text_", "settings_")).with_suffix(".json")
        sources = json.loads(record.read_text())["settings"].get("sources")
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise GenerationsError(f"{path} cannot be read: {type(error).__name__}: {error}", AGAIN) from error
    return PerText(ids, statistics, sources)
