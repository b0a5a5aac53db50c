"""A folder that another takes the place of, whole or not at all; what a killed process left of that is tidied up."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from elf.errors import OutputExistsError
from elf.progress import say

# Beside `out`, in a hidden folder: `new`, which is being written, `old`, whose place it takes, and a lock that is held
# as long as the process lives, however it ends.
NEW, OLD, LOCK = "new", "old", "in-use"


@contextmanager
def replaced_folder(out: Path, manifest: str = "manifest.json") -> Iterator[Path]:
    """A new folder beside `out` that takes its place when the block ends well, and vanishes when it does not.

    Raises OutputExistsError when `out` holds anything but what was exported before, which its `manifest` tells.
    """
    out = out.absolute()
    out.parent.mkdir(parents=True, exist_ok=True)
    tidy_up(out)
    if out.exists() and not (out / manifest).is_file() and not (out.is_dir() and not any(out.iterdir())):
        raise OutputExistsError(
            f"{out} exists and has no {manifest}, so it was not exported", "Give another --out, or remove it."
        )
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as scratch, FileLock(Path(scratch) / LOCK):
        new, old = Path(scratch) / NEW, Path(scratch) / OLD
        new.mkdir()
        yield new
        if out.exists():
            out.rename(old)
        new.rename(out)


def tidy_up(out: Path) -> None:
    """Removes what processes that were killed left beside `out`. One that had moved `out` away gives it back."""
    for scratch in out.parent.glob(f".{out.name}-*"):
        if not (scratch / LOCK).is_file():
            continue
        try:
            with FileLock(scratch / LOCK, blocking=False):
                if not out.exists() and (scratch / OLD).is_dir():
                    (scratch / OLD).rename(out)
        except Timeout:
            continue
        shutil.rmtree(scratch, ignore_errors=True)
        say(f"{scratch.name}, left by an export that was killed, is removed")
