"""Datasets of the Hugging Face hub by name, in both forms that people upload.

A repository holds either the folder that `save_to_disk` wrote (the official datasets do) or ordinary Parquet or text
files. The first kind cannot be read by `datasets.load_dataset`, which takes its JSON files for the data.
"""

import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from elf.data.arrow_folder import SPLITS, STATE, choose_split, folder_of_split, load_arrow_folder
from elf.errors import DatasetError

if typing.TYPE_CHECKING:
    from datasets import Dataset

HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
"""Owner and repository. A path of two words looks the same, so folders are tried first."""


def is_hub_name(name: str) -> bool:
    return HUB_NAME.fullmatch(name) is not None


def load_hub_dataset(name: str, split: str | None = None, revision: str | None = None) -> "Dataset":
    """Downloads dataset `name` into the hub's cache, unless it is there, and opens it memory-mapped.

    Of a repository with several splits in save_to_disk form, only the wanted one is downloaded. Raises DatasetError for
    a missing or closed repository, an unknown split or revision, and a hub that does not answer.
    """
    layout = _download(name, revision, [STATE, SPLITS, f"*/{STATE}"])
    if not any((layout / file).is_file() for file in (STATE, SPLITS)) and not any(layout.glob(f"*/{STATE}")):
        return _load_files(name, split, revision)
    part = folder_of_split(layout, split).relative_to(layout)
    patterns = ["*"] if part == Path() else [f"{part}/*"]
    # The folder is told to be whole: a split named by SPLITS alone would otherwise be missed after the download.
    return load_arrow_folder(_download(name, revision, patterns) / part)


def stream_hub_dataset(
    name: str, split: str | None = None, subset: str | None = None, revision: str | None = None
) -> Iterator[dict[str, Any]]:
    """Records of dataset `name` as they come over the network, in their order there, nothing kept. Raises as above."""
    from datasets import get_dataset_split_names, load_dataset

    try:
        split = choose_split(name, split, set(get_dataset_split_names(name, subset, revision=revision)))
        yield from load_dataset(name, subset, split=split, revision=revision, streaming=True)
    except DatasetError:
        raise
    except Exception as error:  # of the hub's client, its HTTP library, or the files
        raise _hub_error(name, revision, error) from error


def _download(name: str, revision: str | None, patterns: list[str]) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, repo_type="dataset", revision=revision, allow_patterns=patterns))
    except Exception as error:  # of the hub's client, its HTTP library, or the disk
        raise _hub_error(name, revision, error) from error


def _load_files(name: str, split: str | None, revision: str | None) -> "Dataset":
    from datasets import get_dataset_split_names, load_dataset

    try:
        split = choose_split(name, split, set(get_dataset_split_names(name, revision=revision)))
        return load_dataset(name, split=split, revision=revision)
    except DatasetError:
        raise
    except Exception as error:  # as above, or the repository's files are no dataset
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
    return DatasetError(
        f"there is no folder {name}, and dataset {name} of the hub cannot be read: {type(error).__name__}: {reason}",
        f"On a machine with a connection run `hf download --repo-type dataset {name} --local-dir FOLDER`, "
        "then give that folder.",
    )
