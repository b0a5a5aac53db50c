"""A model by its name on the hub: fetched once into the hub's cache, then opened like a folder of one's own."""

import re
from pathlib import Path
from typing import Any

from elf.checkpoints.fetch import Arguments, Listing, bring, fetch, is_here, list_repository
from elf.checkpoints.official import CHECKPOINTS, OWNER
from elf.errors import HubError
from elf.json_text import json_value
from elf.progress import say

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


def fetched(name: re.Match[str], dtype: str | None = None) -> Path:
    """The folder that a repository was fetched into: of an exported model, with its weights in `dtype` or in its own
    choice, of a training's `model`, or of a checkpoint, official or not, as `elf fetch` does it.

    Raises HubError, and what `elf fetch` raises.
    """
    listing = _listing(name)
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
