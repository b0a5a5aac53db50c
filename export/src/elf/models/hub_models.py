"""A model by its name on the hub: fetched once into the hub's cache, then opened like a folder of one's own."""

import re
from pathlib import Path

from elf.checkpoints.fetch import Arguments, fetch
from elf.checkpoints.hub import Listing, hub_error, list_repository
from elf.checkpoints.official import CHECKPOINTS, OWNER
from elf.errors import HubError

NAME = re.compile(r"(?P<repository>[\w-][\w.-]*/[\w-][\w.-]*)(?:/(?P<file>[^@]+))?(?:@(?P<revision>.+))?")
"""OWNER/REPOSITORY, perhaps a file or a folder in it, perhaps a branch, tag or commit."""

MANIFEST, MODEL = "manifest.json", ("config.json", "model.safetensors")


def hub_name(name: str) -> re.Match[str] | None:
    """The parts of a name on the hub; None for what is a path. Of the official models the name is enough."""
    owner, _, rest = name.partition("@")
    if owner in CHECKPOINTS:
        name = f"{OWNER}/{owner}" + (f"@{rest}" if rest else "")
    if Path(name).exists() or name.startswith((".", "/", "~")):
        return None
    return NAME.fullmatch(name)


def fetched(name: re.Match[str]) -> Path:
    """The folder that a repository was fetched into: of an exported model, of a training's output or its `model`, or of
    a checkpoint, official or not, as `elf fetch` does it.

    Raises HubError, and what `elf fetch` raises.
    """
    file = name["file"]
    try:
        listing = list_repository(name["repository"], name["revision"])
    except HubError as error:
        # A path that is mistyped looks the same.
        raise HubError(f"there is no {name[0]} here, and on the hub {error}", error.action) from error
    files = {each.path for each in listing.files}
    for folder in (f"{file}/" if file else "", f"{file}/model/" if file else "model/"):
        if f"{folder}{MANIFEST}" in files:
            return _snapshot(listing, folder)
        if all(f"{folder}{each}" in files for each in MODEL):
            return _snapshot(listing, folder)
    return _fetched(name, listing)


def fetched_checkpoint(name: re.Match[str]) -> Path:
    """The folder that the newest checkpoint of a repository, or the one that is named, was fetched into; also that of a
    training of this project, with all that it keeps. Raises as above."""
    return _fetched(name, list_repository(name["repository"], name["revision"]))


def _fetched(name: re.Match[str], listing: Listing) -> Path:
    # A folder for each commit: what has been fetched in part goes on where it stopped.
    out = _cache() / "elf" / listing.repository.replace("/", "--") / listing.revision[:12]
    fetch(Arguments(listing.repository, out, revision=listing.revision, file=name["file"]))
    return out


def _snapshot(listing: Listing, folder: str) -> Path:
    import huggingface_hub

    try:
        place = huggingface_hub.snapshot_download(
            listing.repository, revision=listing.revision, allow_patterns=[f"{folder}*"] if folder else None
        )
    except Exception as error:  # of the hub's client, its HTTP library, or the disk
        raise hub_error(listing.repository, listing.revision, error) from error
    return Path(place) / folder


def _cache() -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HOME)
