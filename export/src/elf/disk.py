"""Files that are there whole or not at all, and a disk that is full, known by whatever the many writers say of it."""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from elf.errors import DiskFullError, first_line
from elf.paths import is_address

SIGNS = ("no space left", "quota exceeded", "file too large", "errno 28", "os error 28", "resource_exhausted")

COPIED_AT_ONCE = 2**23
"""Bytes."""

WRITTEN_EVERY = 30.0
"""Seconds between two writings of what grows in a bucket, where each is one of the whole."""


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
    """A place to write a file or a folder to, which takes the name of `path` when it is done. Raises DiskFullError.

    What goes to a bucket, a file, is written on this machine first: an object appears when it is whole.
    """
    if is_address(path):
        with tempfile.TemporaryDirectory() as scratch:
            written = Path(scratch) / path.name
            yield written
            with written.open("rb") as source, path.open("wb") as target:
                shutil.copyfileobj(source, target, COPIED_AT_ONCE)
        return
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


class GrowingFile:
    """A text file that grows at its end, a line at a time.

    On this machine lines are on the disk when `append` returns. In a bucket, where nothing is appended to, the whole is
    written anew, now and then and when it is flushed; a run that is killed there loses the lines in between.
    """

    def __init__(self, path: Path):
        """Goes on with what is in the file, if it is there."""
        self.path = path
        self._content: bytearray | None = None
        if is_address(path):
            self._content = bytearray(path.read_bytes() if path.is_file() else b"")
        self._written, self._changed = time.monotonic(), False

    def append(self, text: str) -> bool:
        """Adds whole lines. Whether all of them are there now."""
        if self._content is None:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            return True
        self._content += text.encode()
        self._changed = True
        if time.monotonic() - self._written >= WRITTEN_EVERY:
            self.flush()
        return not self._changed

    def cut(self, size: int) -> None:
        """Leaves the first `size` bytes."""
        if self._content is None:
            os.truncate(self.path, size)
            return
        del self._content[size:]
        self._changed = True
        self.flush()

    def flush(self) -> None:
        """Returns when all of it is there."""
        if self._content is not None and self._changed:
            self.path.write_bytes(bytes(self._content))
            self._written, self._changed = time.monotonic(), False


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
