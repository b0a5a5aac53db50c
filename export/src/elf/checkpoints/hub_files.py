"""The files of a repository on the hub at one commit: which there are, and one brought here."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from filelock import FileLock

from elf.errors import HubError
from elf.paths import sha256


@dataclass(frozen=True)
class RemoteFile:
    path: str
    bytes: int
    sha256: str | None
    """Where the hub knows it: of large files."""
    git_sha1: str | None = None
    """That of git's own objects, which it knows of the others."""


@dataclass(frozen=True)
class Listing:
    """A repository at one commit."""

    repository: str
    kind: str
    """Of the hub's: "model" or "dataset"."""
    revision: str
    files: tuple[RemoteFile, ...]
    licence: str | None

    def below(self, name: str) -> tuple[RemoteFile, ...]:
        """The file of this name, or all files of the folder. Raises HubError where there are none."""
        found = tuple(file for file in self.files if file.path == name or file.path.startswith(f"{name}/"))
        if not found:
            raise HubError(
                f"{self.repository} has no file {name}", f"It has {', '.join(file.path for file in self.files[:12])}."
            )
        return found


def list_repository(repository: str, revision: str | None = None, kinds: tuple[str, ...] = ("model",)) -> Listing:
    """What `repository` holds at `revision`, a branch, tag or commit; the first of `kinds` that exists.

    Raises HubError for one that is missing, closed, or out of reach.
    """
    import huggingface_hub
    from huggingface_hub import errors

    api = huggingface_hub.HfApi()
    for kind in kinds:
        try:
            info: Any = api.repo_info(repository, revision=revision, repo_type=kind, files_metadata=True)
        except errors.GatedRepoError as error:
            raise hub_error(repository, revision, error) from error
        except errors.RepositoryNotFoundError as error:
            if kind == kinds[-1]:
                raise hub_error(repository, revision, error) from error
        except Exception as error:  # of the hub's client or its HTTP library
            raise hub_error(repository, revision, error) from error
        else:
            files = tuple(
                RemoteFile(each.rfilename, each.size or 0, each.lfs.sha256 if each.lfs else None, each.blob_id)
                for each in info.siblings
                # A name that leads out of the folder is not worth a message.
                if not Path(each.rfilename).is_absolute() and ".." not in Path(each.rfilename).parts
            )
            licence = getattr(info.card_data, "license", None) if info.card_data else None
            return Listing(repository, kind, info.sha, files, licence if isinstance(licence, str) else None)
    raise AssertionError("kinds is empty")


def is_here(file: RemoteFile, place: Path) -> bool:
    """Whether a file is at `place` already, whole."""
    if not place.is_file() or place.stat().st_size != file.bytes:
        return False
    if file.sha256 is not None:
        return sha256(place) == file.sha256
    return file.git_sha1 is None or git_sha1(place) == file.git_sha1


def git_sha1(place: Path) -> str:
    """What git calls a file of these contents."""
    contents = place.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(contents) + contents, usedforsecurity=False).hexdigest()


def bring(listing: Listing, file: RemoteFile, folder: Path) -> Path:
    """Downloads a file to its path below `folder`, from where an earlier attempt ended, and compares its hash.

    The hub's own `hf_hub_download` starts anew after a process has ended; these files have gigabytes. Raises HubError
    for what cannot be had or is not what the hub says it is; then what has come of it so far stays, but not if wrong.
    Of several processes on one disk one downloads, and the others wait for it.
    """
    place = folder / file.path
    place.parent.mkdir(parents=True, exist_ok=True)
    # Of this commit: a file may change from one to the next.
    partial = place.with_name(f"{place.name}.{listing.revision[:8]}.partial")
    lock = place.with_name(f".{partial.name}.lock")
    with FileLock(lock):
        if not is_here(file, place):
            _download(listing, file, partial)
            partial.replace(place)
    lock.unlink(missing_ok=True)
    return place


def _download(listing: Listing, file: RemoteFile, partial: Path) -> None:
    try:
        _get(listing, file, partial)
    except Exception as error:  # of the hub's client, its HTTP library, or the disk
        raise hub_error(listing.repository, listing.revision, error) from error
    if not is_here(file, partial):
        partial.unlink(missing_ok=True)
        raise HubError(
            f"{file.path} of {listing.repository} did not arrive as the hub describes it",
            "It was deleted. Run the same command again.",
        )


def _get(listing: Listing, file: RemoteFile, partial: Path) -> None:
    import huggingface_hub
    from huggingface_hub.file_download import http_get

    api = huggingface_hub.HfApi()
    url = huggingface_hub.hf_hub_url(
        listing.repository, file.path, repo_type=listing.kind, revision=listing.revision, endpoint=api.endpoint
    )
    headers = huggingface_hub.utils.build_hf_headers(token=api.token)
    place = huggingface_hub.get_hf_file_metadata(url, headers=headers, endpoint=api.endpoint).location
    if urlsplit(place).netloc != urlsplit(url).netloc:
        # The address of another server carries its own right to read.
        headers.pop("authorization", None)
    if partial.is_file() and partial.stat().st_size > file.bytes:
        partial.unlink()
    with partial.open("ab") as opened:
        http_get(
            place,
            opened,
            resume_size=opened.tell(),
            headers=headers,
            expected_size=file.bytes,
            displayed_filename=file.path,
        )


def hub_error(repository: str, revision: str | None, error: Exception) -> HubError:
    """What an error of the hub's client means."""
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return HubError(f"{repository} is gated", "Ask for access on its page, then `hf auth login`.")
    if isinstance(error, errors.RevisionNotFoundError):
        return HubError(f"{repository} has no revision {revision!r}", "Give a branch, a tag or a commit of it.")
    if isinstance(error, errors.RepositoryNotFoundError):
        return HubError(
            f"there is no repository {repository} that you may read", "Check the name; if private, `hf auth login`."
        )
    if isinstance(error, errors.HFValidationError):
        return HubError(f"{repository!r} is no name of a repository", "Give OWNER/NAME.")
    reason = (str(error).splitlines() or [""])[0][:200]
    return HubError(
        f"{repository} could not be fetched: {type(error).__name__}: {reason}",
        "Run the same command again: it goes on where it stopped. On another machine that is connected, "
        f"`hf download {repository} --local-dir FOLDER`, then give that folder to `elf export`.",
    )
