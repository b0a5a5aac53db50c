"""Fetch a checkpoint from the hub: pinned to a commit, resumed after an interruption, its hashes recorded.

Of an official model its T5 encoder and tokenizer come along, so that `elf export OUT --out …` needs nothing more.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from elf.checkpoints.fetched_folder import FetchedFile, SourceRecord, newest_checkpoint, parts_of
from elf.checkpoints.hub import Listing, RemoteFile, bring, is_here, list_repository
from elf.checkpoints.official import (
    CHECKPOINTS,
    ENCODER_FILE,
    ENCODER_REPOSITORY,
    OWNER,
    TOKENIZER_FILE,
    TOKENIZER_REPOSITORY,
    model_name,
)
from elf.data.clean_up import CONFIG as TOKENIZER_CONFIG
from elf.disk import named_when_full, sha256
from elf.errors import DiskFullError, HubError
from elf.progress import say

ENCODER_FOLDER = "encoder"
"""The encoder's own folder in the output: other repositories may have files of the same names."""


@dataclass(frozen=True)
class Arguments:
    repository: Annotated[str, tyro.conf.Positional]
    """OWNER/NAME on the hub; of the official ones the name is enough: ELF-B-owt, ELF-B-de-en, ELF-B-xsum …"""
    out: Path
    """Folder to fetch into."""
    revision: str | None = None
    """Branch, tag or commit; the main branch unless given. Either way the commit is recorded."""
    file: str | None = None
    """File or folder of the repository; the checkpoint of the latest step unless given."""
    companions: bool = True
    """Of official models: the T5 encoder and its tokenizer too."""


@dataclass(frozen=True)
class Wanted:
    """A file to fetch, and into which folder."""

    listing: Listing
    file: RemoteFile
    folder: Path

    @property
    def place(self) -> Path:
        return self.folder / self.file.path


def main(arguments: Arguments) -> None:
    record = fetch(arguments)
    print(
        json.dumps(
            {
                "out": str(arguments.out),
                "repository": record.repository,
                "revision": record.revision,
                "checkpoint": record.checkpoint,
                "bytes": sum(file.bytes for file in record.files),
            }
        )
    )


def fetch(arguments: Arguments) -> SourceRecord:
    """Fetches what is missing and records what is there. Raises HubError, CheckpointError where a repository leaves the
    choice, DiskFullError before anything is fetched."""
    repository = f"{OWNER}/{arguments.repository}" if arguments.repository in CHECKPOINTS else arguments.repository
    listing = list_repository(repository, arguments.revision)
    checkpoint = arguments.file or newest_checkpoint(
        [file.path for file in listing.files], repository, "Choose one with --file."
    )
    out = arguments.out
    names = [checkpoint, *parts_of(checkpoint, [file.path for file in listing.files])]
    wanted = [Wanted(listing, file, out) for name in names for file in listing.below(name)]
    encoder = tokenizer = None
    if model_name(repository) and arguments.companions:
        encoder, tokenizer = f"{ENCODER_FOLDER}/{ENCODER_FILE}", TOKENIZER_FILE
        wanted += _companions(out)
    _download(wanted, out)
    record = SourceRecord(
        repository=repository,
        revision=listing.revision,
        checkpoint=checkpoint,
        files=tuple(
            FetchedFile(
                each.place.relative_to(out).as_posix(),
                each.file.bytes,
                each.file.sha256 or sha256(each.place),
                each.listing.repository,
                each.listing.revision,
            )
            for each in wanted
        ),
        encoder=encoder,
        tokenizer=tokenizer,
        licence=listing.licence,
    )
    record.write(out)
    return record


def _companions(out: Path) -> list[Wanted]:
    # The encoder's repository is listed beside the official data sets.
    encoder = list_repository(ENCODER_REPOSITORY, kinds=("model", "dataset"))
    tokenizer = list_repository(TOKENIZER_REPOSITORY)
    named = {file.path.rsplit("/", 1)[-1]: file for file in encoder.files}
    if ENCODER_FILE not in named:
        raise HubError(f"{ENCODER_REPOSITORY} has no {ENCODER_FILE}", "Leave it out with --no-companions.")
    return [
        *(Wanted(encoder, file, out / ENCODER_FOLDER) for file in encoder.below(named[ENCODER_FILE].path)),
        *(Wanted(tokenizer, file, out) for file in tokenizer.below(TOKENIZER_FILE)),
        # How its text is cleaned up. Without this file it is, so that nothing is lost where a repository has none.
        *(Wanted(tokenizer, file, out) for file in tokenizer.files if file.path == TOKENIZER_CONFIG),
    ]


def _download(wanted: list[Wanted], out: Path) -> None:
    missing = [each for each in wanted if not is_here(each.file, each.place)]
    out.mkdir(parents=True, exist_ok=True)
    needed, free = sum(each.file.bytes for each in missing), shutil.disk_usage(out).free
    if needed > free:
        raise DiskFullError(
            f"{out} needs {needed / 1e6:,.0f} MB more, {free / 1e6:,.0f} MB are free",
            "Make room, or give another --out.",
        )

    def full(detail: str) -> DiskFullError:
        return DiskFullError(f"{out}: {detail}", "Make room and run the same command again: it goes on from there.")

    for each in wanted:
        if each not in missing:
            say(f"{each.file.path} is here already")
            continue
        say(f"fetching {each.listing.repository}: {each.file.path}, {each.file.bytes / 1e6:,.1f} MB")
        with named_when_full(full):
            bring(each.listing, each.file, each.folder)
