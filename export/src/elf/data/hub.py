"""Datasets of the Hugging Face hub by name, or downloaded from it, in both forms that people upload.

A repository holds either the folder that `save_to_disk` wrote (the official datasets do) or ordinary Parquet or text
files. The first kind cannot be read by `datasets.load_dataset`, which takes its JSON files for the data.
"""

import re
import typing
from collections.abc import Generator
from pathlib import Path
from typing import Any

from elf.data.arrow_folder import COPY_AGAIN, SPLITS, STATE, choose_split, folder_of_split, load_arrow_folder
from elf.errors import DatasetError

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
    layout = _download(name, revision, [STATE, SPLITS, f"*/{STATE}"])
    if not any((layout / file).is_file() for file in (STATE, SPLITS)) and not any(layout.glob(f"*/{STATE}")):
        return load_files(name, split, revision)
    part = folder_of_split(layout, split).relative_to(layout)
    return load_arrow_folder(_download(name, revision, ["*"] if part == Path() else [f"{part}/*"]) / part)


def load_files(source: str, split: str | None = None, revision: str | None = None) -> "Dataset":
    """The Parquet or text files of hub dataset, or folder, `source` as a memory-mapped dataset, which `datasets` makes
    of them in its cache. Raises as above."""
    from datasets import get_dataset_split_names, load_dataset

    try:
        split = choose_split(source, split, set(get_dataset_split_names(source, revision=revision)))
        return load_dataset(source, split=split, revision=revision)
    except DatasetError:
        raise
    except Exception as error:  # of the hub's client, its HTTP library, or the readers of the files
        raise _hub_error(source, revision, error) from error


def parquet_files(folder: Path, split: str | None = None, subset: str | None = None) -> list[Path]:
    """The Parquet files of one split in a folder, found by their names as `datasets` finds them. Raises as above."""
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
    from datasets import get_dataset_split_names, load_dataset

    try:
        split = choose_split(source, split, set(get_dataset_split_names(source, subset, revision=revision)))
        yield from load_dataset(source, subset, split=split, revision=revision, streaming=True)
    except DatasetError:
        raise
    except Exception as error:  # of the hub's client, its HTTP library, or the readers of the files
        raise _hub_error(source, revision, error) from error


def _download(name: str, revision: str | None, patterns: list[str]) -> Path:
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
