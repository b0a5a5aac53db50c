"""`source.json`: where the files of a folder came from, as `elf fetch` found them."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from elf.errors import CheckpointError

FILE = "source.json"


@dataclass(frozen=True)
class FetchedFile:
    path: str
    """Below the folder, with `/`."""
    bytes: int
    sha256: str
    repository: str
    revision: str
    """Commit it was taken from."""


@dataclass(frozen=True)
class SourceRecord:
    repository: str
    revision: str
    """The commit, however it was asked for."""
    checkpoint: str
    """Which file or folder of it is the checkpoint."""
    files: tuple[FetchedFile, ...]
    encoder: str | None = None
    tokenizer: str | None = None
    """Which files are the encoder and the tokenizer, where they were fetched too."""
    licence: str | None = None
    """What the repository's card says."""

    def write(self, folder: Path) -> None:
        partial = folder / f"{FILE}.partial"
        partial.write_text(json.dumps(asdict(self), indent=2) + "\n")
        partial.replace(folder / FILE)


def read_source(folder: Path) -> SourceRecord | None:
    """The record in a folder; None where there is none. Raises CheckpointError for a broken one."""
    file = folder / FILE
    if not file.is_file():
        return None
    try:
        found: dict[str, Any] = json.loads(file.read_text())
        found["files"] = tuple(FetchedFile(**each) for each in found["files"])
        return SourceRecord(**found)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{file} cannot be read: {error}", "Run `elf fetch` again.") from error
