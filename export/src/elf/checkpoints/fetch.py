"""Fetch a checkpoint from the hub, pinned to a commit, resumed after an interruption, recorded; and a model by its
name."""

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import tyro

from elf.checkpoints.hub_files import Listing, RemoteFile, bring, is_here, list_repository
from elf.checkpoints.official import (
    CHECKPOINTS,
    ENCODER_FILE,
    ENCODER_REPOSITORY,
    OWNER,
    TOKENIZER_FILE,
    TOKENIZER_REPOSITORY,
    FetchedFile,
    SourceRecord,
    latents_beside,
    model_name,
    newest_checkpoint,
    parts_of,
)
from elf.errors import DiskFullError, HubError
from elf.paths import named_when_full, sha256
from elf.progress import say
from elf.text_file import json_value

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
    """Fetch a checkpoint from the hub: pinned to a commit, resumed after an interruption, its hashes recorded.

    Of an official model its T5 encoder and tokenizer come along, so that `elf export OUT --out …` needs nothing
    more.
    """
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
    paths = [file.path for file in listing.files]
    checkpoint = arguments.file or newest_checkpoint(paths, repository, "Choose one with --file.")
    out = arguments.out
    names = [checkpoint, *parts_of(checkpoint, paths), *({latents_beside(checkpoint)} & {*paths})]
    wanted = [Wanted(listing, file, out) for name in names for file in listing.below(name)]
    encoder = tokenizer = None
    if model_name(repository) and arguments.companions:
        encoder, tokenizer = f"{ENCODER_FOLDER}/{ENCODER_FILE}", TOKENIZER_FILE
        wanted += _companions(out)
    _download_all(wanted, out)
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
    from elf.data.tokenizer_json import CONFIG as TOKENIZER_CONFIG  # it loads SentencePiece, which no download needs

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


def _download_all(wanted: list[Wanted], out: Path) -> None:
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


# --- A model by its name on the hub: fetched once into the hub's cache, then opened like a folder of one's own ------

HUB_NAME = re.compile(r"(?P<repository>[\w-][\w.-]*/[\w-][\w.-]*)(?:/(?P<file>[^@]+))?(?:@(?P<revision>.+))?")
"""OWNER/REPOSITORY, perhaps a file or a folder in it, perhaps a branch, tag or commit."""

MANIFEST, MODEL = "manifest.json", ("config.json", "model.safetensors")


def hub_name(name: str) -> re.Match[str] | None:
    """The parts of a name on the hub; None for what is a path. Of the official models the name is enough."""
    # Before anything else: also a folder of an official model's name is what it was fetched into.
    if Path(name).exists() or name.startswith((".", "/", "~")):
        return None
    model, _, revision = name.partition("@")
    if model in CHECKPOINTS:
        name = f"{OWNER}/{model}" + (f"@{revision}" if revision else "")
    return HUB_NAME.fullmatch(name)


class Fetched(NamedTuple):
    folder: Path
    source: dict[str, str]
    """Its `repository` and `revision`, the commit."""


def fetched(name: re.Match[str], dtype: str | None = None) -> Fetched:
    """The folder that a repository was fetched into: of an exported model, with its weights in `dtype` or in its own
    choice, of a training's `model`, or of a checkpoint, official or not, as `elf fetch` does it.

    Raises HubError, and what `elf fetch` raises.
    """
    listing = _listing(name)
    return Fetched(
        _fetched_model(name, listing, dtype), {"repository": listing.repository, "revision": listing.revision}
    )


def _fetched_model(name: re.Match[str], listing: Listing, dtype: str | None) -> Path:
    files = {each.path for each in listing.files}
    inside = f"{name['file'].rstrip('/')}/" if name["file"] else ""
    for folder in (inside, f"{inside}model/"):
        if f"{folder}{MANIFEST}" in files:
            return _brought(listing, folder, dtype)
        if all(f"{folder}{each}" in files for each in MODEL):
            return _brought(listing, folder)
    return _fetched(name, listing)


def fetched_checkpoint(name: re.Match[str]) -> Path:
    """The folder that the newest checkpoint of a repository, or the one that is named, was fetched into; also that of a
    training of this project, with all that it keeps. Raises as above."""
    return _fetched(name, _listing(name))


def _listing(name: re.Match[str]) -> Listing:
    try:
        return list_repository(name["repository"], name["revision"])
    except HubError as error:
        # A path that is mistyped looks the same.
        raise HubError(f"there is no {name[0]} here, and on the hub {error}", error.action) from error


def _fetched(name: re.Match[str], listing: Listing) -> Path:
    out = _place(listing)
    fetch(Arguments(listing.repository, out, revision=listing.revision, file=name["file"]))
    return out


def _brought(listing: Listing, folder: str, dtype: str | None = None) -> Path:
    """The files of a folder, those of an exported model without the weights in other dtypes."""
    out = _place(listing)
    wanted = [file for file in listing.files if file.path.startswith(folder)]
    # The manifest tells what else is needed.
    for file in sorted(wanted, key=lambda file: file.path != f"{folder}{MANIFEST}"):
        if file.path in _of_other_dtypes(out / folder, folder, dtype):
            continue
        if not is_here(file, out / file.path):
            say(f"fetching {listing.repository}: {file.path}, {file.bytes / 1e6:,.1f} MB")
            bring(listing, file, out)
    return out / folder


def _of_other_dtypes(place: Path, folder: str, dtype: str | None) -> set[str]:
    """The files of an exported model that are weights in another dtype than the wanted one."""
    if not (place / MANIFEST).is_file():
        return set()
    try:
        manifest = json_value((place / MANIFEST).read_text(encoding="utf-8"))
        entries: dict[str, Any] = manifest["dtypes"]
        others = [entry for name, entry in entries.items() if name != (dtype or manifest["defaultDtype"])]
        return {f"{folder}{file}" for entry in others for file in (*entry["shards"], entry["index"])}
    except (ValueError, KeyError, TypeError, AttributeError):  # whoever opens it will say what is wrong
        return set()


def _place(listing: Listing) -> Path:
    """Below the hub's own cache, a folder for each commit: what was fetched in part goes on where it stopped."""
    from huggingface_hub import constants

    return Path(constants.HF_HOME) / "elf" / listing.repository.replace("/", "--") / listing.revision[:12]
