"""What an evaluation leaves on disk: texts as they are written, what each adds to each figure, a row for each way."""

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any, TextIO

import numpy as np

from elf.errors import DiskFullError, GenerationsError, OutputExistsError
from elf.paths import GrowingFile, file_size, named_when_full, written_whole
from elf.progress import say
from elf.text_file import json_value

Id = int | str


def write_generation(file: TextIO, id: Id, generated: str) -> None:
    """Writes one row of `all_generated_*.jsonl`."""
    file.write(json.dumps({"id": id, "generated": generated}, ensure_ascii=False) + "\n")


LATER = ("flow", "tokenizer", "encoder")
"""Settings that older records do not have: of their texts it is not known, and they are kept."""


class GenerationFile:
    """`all_generated_<epoch>_<step>.jsonl` of one model and one way to sample, rows in the order of `ids`.

    Beside it `settings_<epoch>_<step>.json` holds what the texts depend on, and the seconds they took so far. Rows that
    are already there are kept up to the first that is cut off or out of order. Raises OutputExistsError, naming the
    setting, where the folder holds texts that were made in another way, unless this one `replaces` them.
    """

    def __init__(
        self,
        folder: Path,
        epoch: int,
        step: int,
        settings: dict[str, Any],
        ids: Sequence[Id],
        *,
        replaces: bool = False,
    ):
        self.path = folder / f"all_generated_{epoch}_{step}.jsonl"
        self.record = folder / f"settings_{epoch}_{step}.json"
        self.settings, self.ids = settings, ids
        self.seconds = 0.0
        self.texts: list[str] = []
        """Of the first of `ids`."""
        if replaces:
            self._give_place()
        if self.record.is_file():
            self._check()
        elif self.path.is_file():
            raise OutputExistsError(
                f"{self.path} is there, but not the {self.record.name} that says how it was made",
                "Choose another --out, or move the file away.",
            )
        else:
            folder.mkdir(parents=True, exist_ok=True)
            self._remember()
        self.file = GrowingFile(self.path)
        if self.path.is_file():
            self._keep_whole_rows()

    def append(self, texts: Sequence[str], seconds: float) -> None:
        """The texts of the next ids; `seconds` is what they took. On disk when this returns, in a bucket when `keep`
        does. Raises DiskFullError."""
        ids = self.ids[len(self.texts) : len(self.texts) + len(texts)]
        with named_when_full(self._full):
            rows = io.StringIO()
            for id, text in zip(ids, texts, strict=True):
                write_generation(rows, id, text)
            there = self.file.append(rows.getvalue())
            self.texts += texts
            self.seconds += seconds
            if there:
                self._remember()

    def keep(self) -> None:
        """Returns when all texts so far are where they belong."""
        with named_when_full(self._full):
            self.file.flush()
            self._remember()

    def _full(self, detail: str) -> DiskFullError:
        return DiskFullError(
            f"{self.path} could not be written: {detail}",
            "Make room and run the same command again; it goes on after the last whole row.",
        )

    def _give_place(self) -> None:
        """Removes texts that were made in another way."""
        try:
            self._check()
        except OutputExistsError as error:
            if self.path.is_file() or self.record.is_file():
                say(f"{error}: they are written anew")
            self.path.unlink(missing_ok=True)
            self.record.unlink(missing_ok=True)
            self.seconds = 0.0

    def _check(self) -> None:
        try:
            record = json_value(self.record.read_text(encoding="utf-8"))
            before, self.seconds = {**record["settings"]}, float(record["seconds"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise OutputExistsError(
                f"{self.record} cannot be read: {error}", "Choose another --out, or delete the texts and this file."
            ) from error
        known = {name: value for name, value in self.settings.items() if name in before or name not in LATER}
        now = json.loads(json.dumps(known))
        for name in sorted(before.keys() | now.keys()):
            if before.get(name) != now.get(name):
                raise OutputExistsError(
                    f"{self.path} was made with {name} {before.get(name)}, not {now.get(name)}",
                    f"Choose another --out, give {name} as before, or delete the folder {self.path.parent}.",
                )
        self.settings = known

    def _remember(self) -> None:
        record = {"settings": self.settings, "seconds": round(self.seconds, 3)}
        with written_whole(self.record) as file:
            file.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")

    def _keep_whole_rows(self) -> None:
        """Reads the rows that are good, and cuts off what follows them if any is still to be written."""
        kept = 0
        with self.path.open("rb") as file:
            for id, line in zip(self.ids, file, strict=False):
                text = _text_of(line, id)
                if text is None:
                    break
                self.texts.append(text)
                kept += len(line)
        if len(self.texts) < len(self.ids) and kept < file_size(self.path):
            say(f"{self.path}: row {len(self.texts) + 1} is cut off or out of order, so it is written anew from there")
            self.file.cut(kept)


def _text_of(line: bytes, id: Id) -> str | None:
    """The text of a whole row with this id; None for any other line."""
    try:
        row = json_value(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    text = row.get("generated") if isinstance(row, dict) and row.get("id") == id else None
    return text if isinstance(text, str) else None


AGAIN = (
    "Run its `elf evaluate` again: the texts are kept, and measured anew where their row in metrics.jsonl is missing."
)


@dataclass(frozen=True)
class PerText:
    """`per_text_<epoch>_<step>.jsonl`: what each text of one way to sample adds to each figure, so that two ways can be
    compared text by text without measuring again. `settings_<epoch>_<step>.json` beside it says how they were made."""

    ids: list[Id]
    statistics: dict[str, np.ndarray]
    """Figure → (n, k), as `Scores.statistics`."""
    sources: str | None
    """What tells the sources of one evaluation from those of another; None without sources."""
    measured: dict[str, Any] = field(default_factory=dict)
    """What the figures were measured with, each told from others; older files do not say it."""

    def of(self, ids: Sequence[Id]) -> dict[str, np.ndarray]:
        """The statistics of these texts, in this order."""
        place = {id: row for row, id in enumerate(self.ids)}
        rows = [place[id] for id in ids]
        return {name: values[rows] for name, values in self.statistics.items()}


def per_text_file(folder: Path, epoch: int, step: int) -> Path:
    return folder / f"per_text_{epoch}_{step}.jsonl"


def _beside(per_text: Path, kind: str) -> Path:
    return per_text.with_name(per_text.name.replace("per_text_", f"{kind}_")).with_suffix(".json")


def write_per_text(
    path: Path, ids: Sequence[Id], statistics: Mapping[str, np.ndarray], measured: Mapping[str, Any] | None = None
) -> None:
    """Replaces the file in one step, once `measured_<epoch>_<step>.json` beside it says what it was measured with."""
    with written_whole(_beside(path, "measured")) as file:
        file.write_text(json.dumps({**(measured or {})}, indent=2) + "\n", encoding="utf-8")
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
        rows = [json_value(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
        ids = [row.pop("id") for row in rows]
        if not all(isinstance(id, int | str) for id in ids):
            raise ValueError("an id is neither a number nor a text")
        statistics = {name: np.array([row[name] for row in rows], np.float64) for name in rows[0]}
        sources = json_value(_beside(path, "settings").read_text(encoding="utf-8"))["settings"].get("sources")
        beside = _beside(path, "measured")
        measured = {**json_value(beside.read_text(encoding="utf-8"))} if beside.is_file() else {}
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise GenerationsError(f"{path} cannot be read: {type(error).__name__}: {error}", AGAIN) from error
    return PerText(ids, statistics, sources, measured)


Row = dict[str, Any]

KEY = ("combination", "epoch", "step")
"""What makes two rows the same one, measured again."""


WITH = {
    "gen_ppl": ("judge", "continuation"),
    "entropy": ("judge",),
    **dict.fromkeys(("bleu", "rouge"), ("references",)),
    **dict.fromkeys(("kept", "unknown", "names", "memorised", "longest", "nearest"), ("training",)),
    "held_out": ("held_out", "references"),
}
"""What figures whose names begin so are measured with."""


def measured_with(row: Row) -> dict[str, Any]:
    """What its figures were measured with, each told from others; nothing of an older row, which does not say it."""
    if "inputs" not in row:
        return {}
    none = dict.fromkeys(("judge", "training", "references", "held_out"))
    return {**none, **row["inputs"], "continuation": row["continuation"]}


def check_measured_alike(figure: str, measured: Iterable[Mapping[str, Any]], whose: str) -> None:
    """Raises GenerationsError where a figure was measured in two ways, as far as they say how."""
    measured = [*measured]
    for name in next((names for start, names in WITH.items() if figure.startswith(start)), ()):
        found = [each[name] for each in measured if name in each]
        for other in found:
            if other != found[0]:
                raise GenerationsError(
                    f"{figure} of {whose} was measured with different {name}: {found[0]} and {other}",
                    "Evaluate all of them in the same way, or leave out what does not compare.",
                )


def check_rows(figures: Iterable[str], rows: Sequence[Row], whose: str) -> None:
    """The same of rows, those that have the figure: beside an older one by no more than the names of files."""
    for figure in figures:
        having = [row for row in rows if row.get(figure) is not None]
        measured = [measured_with(row) for row in having]
        check_measured_alike(figure, measured if all(measured) else map(_names, having), whose)


def _names(row: Row) -> dict[str, str]:
    given = ("judge", "training", "held_out", "continuation")
    return {name: PurePath(str(row[name])).name for name in given if name in row}


def read_metrics(path: Path) -> list[Row]:
    """The rows of an evaluation's metrics.jsonl, or of the one in the folder. Raises GenerationsError for others."""
    file = path / "metrics.jsonl" if path.is_dir() else path
    try:
        rows = [json_value(line) for line in file.read_text(encoding="utf-8").split("\n") if line.strip()]
        for row in rows:
            setting_of(row)
            measured_with(row)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise GenerationsError(
            f"{file} cannot be read as an evaluation: {type(error).__name__}: {error}",
            "Give the metrics.jsonl of `elf evaluate`, or its folder.",
        ) from error
    return rows


def setting_of(row: Row) -> str:
    """How its texts were sampled, for people: "SDE 32, γ 0.5, w 3, ω 2"; what is as usual is left out."""
    parts = [f"{row['method'].upper()} {row['steps']}"]
    parts += [f"γ {row['gamma']:g}"] if row["method"] == "sde" else []
    parts += [f"w {row['self_cond_cfg']:g}"]
    parts += [f"ω {row['cfg']:g}"] if row["cfg"] != 1 else []
    parts += [row["schedule"].replace("_", "-")] if row["schedule"] != "logit_normal" else []
    parts += [row["solver"]] if row.get("solver", "euler") != "euler" else []
    parts += [f"best of {row['best_of']}"] if row.get("best_of", 1) != 1 else []
    return ", ".join(parts)


class MetricsFile:
    """`metrics.jsonl` of an evaluation: one row for each way to sample and each checkpoint.

    Raises OutputExistsError for a file that is none of an evaluation, such as a training's own metrics.jsonl.
    """

    def __init__(self, path: Path):
        self.path = path
        self.rows: list[Row] = []
        if path.is_file():
            try:
                self.rows = [json_value(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
                known = all(isinstance(row, dict) and row.keys() >= {*KEY} for row in self.rows)
            except (OSError, ValueError, TypeError):
                known = False
            if not known:
                raise OutputExistsError(
                    f"{path} is there, and no evaluation wrote it", "Choose another --out: a folder for evaluations."
                )

    def find(self, like: Row) -> Row | None:
        """The row that agrees with `like` in everything that `like` names."""
        like = json.loads(json.dumps(like))
        return next((row for row in self.rows if all(row.get(name) == value for name, value in like.items())), None)

    def put(self, row: Row) -> None:
        """In place of the row of the same key, or at the end."""
        before = self.find({name: row[name] for name in KEY})
        if before is None:
            self.rows.append(row)
        else:
            self.rows[self.rows.index(before)] = row
        with written_whole(self.path) as file:
            file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in self.rows), encoding="utf-8")
