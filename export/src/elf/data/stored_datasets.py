"""Datasets as `datasets` keeps them: a folder that `save_to_disk` wrote, Parquet files, or a name on the hub."""

import re
import typing
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from elf.errors import DatasetError, EmptyCorpusError, first_line
from elf.paths import is_name_below
from elf.text_file import json_value, refuse_pointer

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
        # A dataset may ask to be given without some of its columns, or as tensors of another library.
        return load_from_disk(str(place), keep_in_memory=False).with_format(None)
    except Exception as error:  # of what its JSON files say to `datasets` this makes whatever Python raises
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
        listed = _read_json(folder / SPLITS).get("splits", [])
        if not isinstance(listed, list) or not all(map(is_name_below, listed)):
            raise DatasetError(f"{folder / SPLITS} does not list its splits", COPY_AGAIN)
        names |= {*listed}
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
        names = [file["filename"] for file in _read_json(folder / STATE)["_data_files"]]
    except (KeyError, TypeError) as error:
        raise DatasetError(f"{folder / STATE} does not list its Arrow files", COPY_AGAIN) from error
    if wrong := [name for name in names if not is_name_below(name)]:
        raise DatasetError(f"{folder / STATE} names the file {wrong[0]!r}, which is none of its folder", COPY_AGAIN)
    if len(set(names)) < len(names):
        raise DatasetError(f"{folder / STATE} names a file twice", COPY_AGAIN)
    return [folder / name for name in names]


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
        value = json_value(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{file} cannot be read: {first_line(error)}", COPY_AGAIN) from error
    if not isinstance(value, dict):
        raise DatasetError(f"{file} is not what save_to_disk writes", COPY_AGAIN)
    return value


if typing.TYPE_CHECKING:
    from datasets import Dataset

HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
"""Owner and repository. A path of two words looks the same, so folders are tried first."""


def is_hub_name(name: str) -> bool:
    return HUB_NAME.fullmatch(name) is not None


def holds_parquet(folder: Path) -> bool:
    """Whether `folder` is a downloaded repository of the second kind."""
    return next(folder.rglob("*.parquet"), None) is not None


def load_hub_dataset(name: str, split: str | None = None, revision: str | None = None) -> "Dataset":
    """Downloads dataset `name` into the hub's cache, unless it is there, and opens it memory-mapped.

    Of a repository with several splits in save_to_disk form, only the wanted one is downloaded. Raises DatasetError for
    a missing or closed repository, an unknown split or revision, and a hub that does not answer.
    """
    layout = _downloaded(name, revision, [STATE, SPLITS, f"*/{STATE}"])
    if not any((layout / file).is_file() for file in (STATE, SPLITS)) and not any(layout.glob(f"*/{STATE}")):
        return load_files(name, split, revision)
    part = folder_of_split(layout, split).relative_to(layout)
    return load_arrow_folder(_downloaded(name, revision, ["*"] if part == Path() else [f"{part}/*"]) / part)


def load_files(source: str, split: str | None = None, revision: str | None = None) -> "Dataset":
    """The Parquet or text files of hub dataset, or folder, `source` as a memory-mapped dataset, which `datasets` makes
    of them in its cache. Raises as above."""
    _check_card(Path(source))
    from datasets import get_dataset_split_names, load_dataset

    try:
        split = choose_split(source, split, set(get_dataset_split_names(source, revision=revision)))
        return load_dataset(source, split=split, revision=revision)
    except DatasetError:
        raise
    except Exception as error:  # of the hub's client, its HTTP library, or the readers of the files
        raise _hub_error(source, revision, error) from error


CARDS = ("README.md", ".huggingface.yaml")
"""Where `datasets` looks for what a folder says of its files, which may be anywhere."""


def _check_card(folder: Path) -> None:
    """Raises DatasetError for a folder that says of its files that they lie elsewhere, here or on another machine."""
    import yaml
    from huggingface_hub import DatasetCard

    for file in (folder / name for name in CARDS):
        if not file.is_file():
            continue
        try:
            text = file.read_text(encoding="utf-8")
            facts = DatasetCard(text).data.to_dict() if file.suffix == ".md" else yaml.safe_load(text)
            configurations = facts.get("configs") or [] if isinstance(facts, dict) else []
            named = [
                configuration.get(field) for configuration in configurations for field in ("data_files", "data_dir")
            ]
        except Exception as error:  # of YAML, and of what the hub's library makes of it
            raise DatasetError(f"{file} cannot be read: {first_line(error)}", COPY_AGAIN) from error
        if wrong := [each for each in _texts(named) if _leads_out(each)]:
            raise DatasetError(
                f"{file} says of the dataset's files that they lie at {wrong[0]!r}, outside of its folder",
                f"Take that out of {file.name} if you trust what is in the folder.",
            )


def _texts(value: Any) -> Iterator[str]:
    """All texts in a value, but for the names of fields."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)


def _leads_out(pattern: str) -> bool:
    """Whether a pattern of files is an address, or leads out of the folder."""
    return ":" in pattern or pattern.startswith(("/", "~", "\\")) or ".." in re.split(r"[/\\]", pattern)


def parquet_files(folder: Path, split: str | None = None, subset: str | None = None) -> list[Path]:
    """The Parquet files of one split in a folder, found by their names as `datasets` finds them. Raises as above."""
    _check_card(folder)
    from datasets import load_dataset_builder

    try:
        files = load_dataset_builder(str(folder), subset).config.data_files or {}
    except Exception as error:  # as above
        raise _hub_error(str(folder), None, error) from error
    split = choose_split(str(folder), split, set(map(str, files)))
    return [Path(file) for file in files[split] if file.endswith(".parquet")]


def stream_files(
    source: str, split: str | None = None, subset: str | None = None, revision: str | None = None
) -> Generator[dict[str, Any]]:
    """Records of hub dataset, or folder, `source` in their order there, as they come; nothing is kept. Raises as above.

    `subset` is the configuration of a dataset that has several.
    """
    _check_card(Path(source))
    from datasets import get_dataset_split_names, load_dataset

    try:
        split = choose_split(source, split, set(get_dataset_split_names(source, subset, revision=revision)))
        yield from load_dataset(source, subset, split=split, revision=revision, streaming=True)
    except DatasetError:
        raise
    except Exception as error:  # of the hub's client, its HTTP library, or the readers of the files
        raise _hub_error(source, revision, error) from error


def _downloaded(name: str, revision: str | None, patterns: list[str]) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, repo_type="dataset", revision=revision, allow_patterns=patterns))
    except Exception as error:  # of the hub's client, its HTTP library, or the disk
        raise _hub_error(name, revision, error) from error


def _hub_error(name: str, revision: str | None, error: Exception) -> DatasetError:
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return DatasetError(f"dataset {name} of the hub is gated", "Ask for access there, then `hf auth login`.")
    if isinstance(error, errors.RepositoryNotFoundError):
        return DatasetError(
            f"there is no folder {name}, and no dataset of that name on the hub that you may read",
            "Check the name; for a private dataset, `hf auth login` first.",
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return DatasetError(f"dataset {name} has no revision {revision!r}", "Give a branch, a tag or a commit of it.")
    reason = (str(error).splitlines() or [""])[0][:200]
    if Path(name).is_dir():
        return DatasetError(f"{name} cannot be read: {type(error).__name__}: {reason}", COPY_AGAIN)
    return DatasetError(
        f"there is no folder {name}, and dataset {name} of the hub cannot be read: {type(error).__name__}: {reason}",
        f"On a machine with a connection run `hf download --repo-type dataset {name} --local-dir FOLDER`, "
        "then give that folder.",
    )
