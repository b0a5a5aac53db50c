"""Open what `datasets.save_to_disk` wrote: one dataset, or one below each split's name.

A run must not end hours later, or learn from half a corpus, because a copy broke off: files are checked when opened.
"""

import json
import typing
from pathlib import Path

import pyarrow as pa

from elf.errors import DatasetError, EmptyCorpusError, first_line
from elf.foreign_files import refuse_pointer

if typing.TYPE_CHECKING:
    from datasets import Dataset

STATE = "state.json"
"""Written by save_to_disk into the folder of a dataset; it lists the Arrow files."""
SPLITS = "dataset_dict.json"
"""Written by save_to_disk of several splits, into the folder above them."""

END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"
"""Last bytes of an Arrow stream that its writer has closed."""

COPY_AGAIN = "Copy or download the dataset again; this copy is not whole."


def load_arrow_folder(folder: Path, split: str | None = None) -> "Dataset":
    """The dataset in `folder`, memory-mapped. Raises DatasetError for an unknown split and for whatever is
    broken, and EmptyCorpusError for a dataset without files.
    """
    place = folder_of_split(folder, split)
    files = _arrow_files(place)
    if not files:
        raise EmptyCorpusError(f"{place} has no rows", "Prepare it again from a corpus with text.")
    for file in files:
        _check_complete(file)
    from datasets import load_from_disk

    try:
        return load_from_disk(str(place), keep_in_memory=False)
    except (pa.ArrowException, OSError, ValueError, LookupError, TypeError) as error:
        raise DatasetError(f"{_culprit(files) or place} cannot be read: {first_line(error)}", COPY_AGAIN) from error


def folder_of_split(folder: Path, split: str | None) -> Path:
    """The folder below `folder`, or itself, with the Arrow files of `split`. Raises DatasetError naming the splits."""
    if (folder / STATE).is_file():
        own = _read_json(folder / STATE).get("_split")
        if split not in (None, own):
            raise DatasetError(f"{folder} has no splits, so no {split!r}", "Leave the split out.")
        return folder
    names = {child.parent.name for child in folder.glob(f"*/{STATE}")}
    if (folder / SPLITS).is_file():
        names |= set(_read_json(folder / SPLITS).get("splits", []))
    if not names:
        raise DatasetError(
            f"{folder} is no Arrow dataset: it holds no {STATE}",
            "Give a folder written by `elf prepare` (its `train` or `held_out`) or by save_to_disk of `datasets`.",
        )
    return folder / choose_split(str(folder), split, names)


def choose_split(place: str, split: str | None, names: set[str]) -> str:
    """`split`, or the only one there is. Raises DatasetError naming those there."""
    there = ", ".join(sorted(names))
    if split is None:
        if len(names) > 1:
            raise DatasetError(f"{place} has several splits: {there}", "Name the one to read.")
        return next(iter(names))
    if split not in names:
        raise DatasetError(f"{place} has no split {split!r}", f"Splits there: {there}.")
    return split


def _arrow_files(folder: Path) -> list[Path]:
    try:
        return [folder / str(file["filename"]) for file in _read_json(folder / STATE)["_data_files"]]
    except (KeyError, TypeError) as error:
        raise DatasetError(f"{folder / STATE} does not list its Arrow files", COPY_AGAIN) from error


def _check_complete(file: Path) -> None:
    """A file cut between two of its blocks reads well and is only shorter, so its last bytes are looked at."""
    try:
        with file.open("rb") as content:
            content.seek(-min(len(END_OF_STREAM), file.stat().st_size), 2)
            end = content.read()
    except OSError as error:
        raise DatasetError(f"{file} cannot be read: {error.strerror}", COPY_AGAIN) from error
    if end != END_OF_STREAM:
        refuse_pointer(file, DatasetError)
        raise DatasetError(f"{file} is cut off or not an Arrow file: its end is missing", COPY_AGAIN)


def _culprit(files: list[Path]) -> Path | None:
    for file in files:
        try:
            with pa.memory_map(str(file)) as content:
                pa.ipc.open_stream(content).read_all()
        except (pa.ArrowException, OSError):
            return file
    return None


def _read_json(file: Path) -> dict[str, typing.Any]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{file} cannot be read: {first_line(error)}", COPY_AGAIN) from error
    if not isinstance(value, dict):
        raise DatasetError(f"{file} is not what save_to_disk writes", COPY_AGAIN)
    return value
