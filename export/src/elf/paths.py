"""Paths on this machine, addresses of what lies in a bucket (`gs://bucket/run`), and files that are there whole or not
at all."""

import hashlib
import io
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, cast

from elf.errors import DiskFullError, UsageError, first_line

# An address is a path of `etils.epath`, which has what `pathlib.Path` has. It is none of this machine: `Path("gs://…")`
# would be a folder here called `gs:`. In a bucket an object is written whole, nothing is appended to it or renamed for
# free, and a folder is there as long as something lies in it.

ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+):/{1,2}(.+)")
"""`gs://bucket/run`; as a Path it has one slash left. A drive's letter stands alone."""

MAY_BE_ADDRESS = "may be an address"

AnyPath = Annotated[Path, MAY_BE_ADDRESS]
"""The type of options and fields that may be the address of something in a bucket. Those of type Path may not."""

MOUNT = "Mount the bucket, as export/tpu does with gcsfuse, and give the path below the place it is mounted at"
COPY = "Copy it here first: gcloud storage cp --recursive"


def path_of(name: str | Path) -> Path:
    """The path that a name stands for, on this machine or in a bucket.

    Raises UsageError for an address of another kind, and where the package that speaks to buckets is not installed.
    """
    match = _address(name)
    if match is None:
        return Path(name)
    address = f"{match[1]}://{match[2]}"
    if match[1] != "gs":
        raise UsageError(f"{address} is an address and no path on this machine", f"{MOUNT}. Only gs:// is spoken to.")
    import fsspec
    from etils import epath

    try:
        fsspec.get_filesystem_class("gcs")
    except ImportError as error:
        raise UsageError(
            f"{address} lies in a bucket, and the package gcsfs, which speaks to buckets, is not installed",
            "pip install 'gcsfs>=2026.8'; or install this package with it: pip install './export[gs]'.",
        ) from error
    return cast(Path, epath.Path(address))


def is_address(name: str | Path) -> bool:
    return _address(name) is not None


def refuse_address(path: str | Path, name: str, action: str = f"{MOUNT}.") -> None:
    """Raises UsageError for an address where only a path on this machine can serve; `name` is that of the option."""
    if match := _address(path):
        raise UsageError(f"{name} is {match[1]}://{match[2]}, an address and no path on this machine", action)


def _address(name: str | Path) -> re.Match[str] | None:
    match = ADDRESS.fullmatch(str(name))
    return None if match is None or Path(name).exists() else match


def absolute(path: Path) -> Path:
    """An address says all already; epath would put it below the working directory."""
    return path if is_address(path) else path.absolute()


def is_same(one: Path, other: Path) -> bool:
    """Whether two paths are of the same file, there or not."""
    if is_address(one) or is_address(other):
        return str(one) == str(other)
    return one.resolve() == other.resolve()


def open_to_read(path: Path) -> io.BufferedReader:
    """A file to read bytes from, buffered: what comes first can be looked at and read again."""
    opened = path.open("rb")
    return opened if isinstance(opened, io.BufferedReader) else io.BufferedReader(opened)


def file_size(path: Path) -> int:
    facts = path.stat()
    return facts.length if is_address(path) else facts.st_size  # type: ignore[attr-defined]


def files_below(folder: Path) -> list[str]:
    """All files in a folder and the folders in it, by their names from there, parts joined by '/'."""
    if not is_address(folder):
        return [file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()]
    start = len(str(folder)) + 1
    waiting, found = [folder], []
    while waiting:
        for path in waiting.pop().iterdir():
            if path.is_dir():
                waiting.append(path)
            else:
                found.append(str(path)[start:])
    return found


LONGEST_NAME = 255
"""Bytes of the name of a file or folder, as disks have it."""


def is_name_below(name: object) -> bool:
    """Whether a name that stands in a file may be that of a file in the same folder, or below it: text, of parts joined
    by '/', of which none leads elsewhere and none is too long for a disk."""
    if not isinstance(name, str) or re.search(r"[\\\0\ud800-\udfff]", name) or ADDRESS.fullmatch(name):
        return False
    parts = name.split("/")
    return all(part not in ("", ".", "..") and len(part.encode()) <= LONGEST_NAME for part in parts)


# --- Files that are there whole or not at all, and a disk that is full ----------------------------------------------

FULL = ("no space left", "quota exceeded", "file too large", "errno 28", "os error 28", "resource_exhausted")
"""What the many writers say of a full disk."""

COPIED_AT_ONCE = 2**23
"""Bytes."""

WRITTEN_EVERY = 30.0
"""Seconds between two writings of what grows in a bucket, where each is one of the whole."""


def is_full(said: BaseException | str | None) -> bool:
    """Whether an error, or what a writer logs, tells of a full disk."""
    return any(sign in str(said).lower() for sign in FULL)


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
