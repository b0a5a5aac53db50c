"""A folder that another takes the place of, whole or not at all; what a killed process left of that is tidied up."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from elf.errors import OutputExistsError
from elf.paths import files_below
from elf.progress import say
from elf.text_file import json_value

# Beside `out`, in a hidden folder: `new`, which is being written, `old`, whose place it takes, and a lock that is held
# as long as the process lives, however it ends.
NEW, OLD, LOCK = "new", "old", "in-use"


@contextmanager
def replaced_folder(out: Path, manifest: str = "manifest.json") -> Iterator[Path]:
    """A new folder beside `out` that takes its place when the block ends well, and vanishes when it does not.

    Raises OutputExistsError when `out` holds anything but what was exported before, as its `manifest` lists it.
    """
    out = out.absolute()
    out.parent.mkdir(parents=True, exist_ok=True)
    tidy_up(out)
    if out.exists() and not (out / manifest).is_file() and not (out.is_dir() and not any(out.iterdir())):
        raise OutputExistsError(
            f"{out} exists and has no {manifest}, so it was not exported", "Give another --out, or remove it."
        )
    if foreign := _foreign(out, manifest):
        raise OutputExistsError(
            f"{out} holds {foreign}, which was not exported and would be lost",
            "Move it elsewhere, or give another --out.",
        )
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as scratch, FileLock(Path(scratch) / LOCK):
        new, old = Path(scratch) / NEW, Path(scratch) / OLD
        new.mkdir()
        yield new
        if out.exists():
            out.rename(old)
        new.rename(out)


def _foreign(out: Path, manifest: str) -> str | None:
    """A file of `out` that its manifest does not list, beside those that programs hide; none where it lists nothing."""
    try:
        listed = {entry["path"] for entry in json_value((out / manifest).read_text(encoding="utf-8"))["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    names = sorted(name for name in files_below(out) if not name.startswith("."))
    return next((name for name in names if name not in listed | {manifest}), None)


def tidy_up(out: Path) -> None:
    """Removes what processes that were killed left beside `out`. One that had moved `out` away gives it back."""
    for scratch in out.parent.iterdir():
        # As `tempfile` ends a name: another model's may only begin alike.
        if not re.fullmatch(rf"\.{re.escape(out.name)}-[a-z0-9_]{{8}}", scratch.name) or not (scratch / LOCK).is_file():
            continue
        try:
            with FileLock(scratch / LOCK, blocking=False):
                if not out.exists() and (scratch / OLD).is_dir():
                    (scratch / OLD).rename(out)
        except Timeout:
            continue
        shutil.rmtree(scratch, ignore_errors=True)
        say(f"{scratch.name}, left by an export that was killed, is removed")
