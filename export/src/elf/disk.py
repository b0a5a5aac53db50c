"""Files that are there whole or not at all, and a disk that is full, known by whatever the many writers say of it."""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from elf.errors import DiskFullError, first_line

SIGNS = ("no space left", "quota exceeded", "file too large", "errno 28", "os error 28", "resource_exhausted")


def is_full(error: BaseException) -> bool:
    return any(sign in str(error).lower() for sign in SIGNS)


@contextmanager
def named_when_full(describe: Callable[[str], DiskFullError]) -> Iterator[None]:
    """Turns an error that means a full disk into `describe(its first line)`; others pass."""
    try:
        yield
    except Exception as error:  # the writers raise many kinds: OSError, SafetensorError, tensorstore's ValueError
        if not is_full(error):
            raise
        raise describe(first_line(error)) from error


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A place to write a file or a folder to, which takes the name of `path` when it is done. Raises DiskFullError."""
    partial = path.with_name(path.name + ".partial")

    def full(detail: str) -> DiskFullError:
        return DiskFullError(f"{path} could not be written: {detail}", "Make room and run the same command again.")

    try:
        with named_when_full(full):
            yield partial
            partial.replace(path)
    finally:
        if partial.is_dir():
            shutil.rmtree(partial)
        partial.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
