"""Paths on this machine, and addresses of what lies in a bucket: `gs://bucket/run`.

An address is a path of `etils.epath`, which has what `pathlib.Path` has. It is none of this machine: `Path("gs://…")`
would be a folder here called `gs:`. In a bucket an object is written whole, nothing is appended to it or renamed for
free, and a folder is there as long as something lies in it.
"""

import io
import re
from pathlib import Path
from typing import Annotated, cast

from elf.errors import UsageError

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
