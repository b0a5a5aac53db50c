"""Paths on this machine, and what looks like one and is not: the address of a bucket."""

import re
from pathlib import Path

from elf.errors import UsageError

ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+):/{1,2}(.+)")
"""`gs://bucket/run`; as a Path it has one slash left. A drive's letter stands alone."""


def refuse_address(path: str | Path, name: str) -> None:
    """Raises UsageError for the address of a bucket, of which a folder `gs:` here would be made without a word."""
    match = ADDRESS.fullmatch(str(path))
    if match and not Path(path).exists():
        raise UsageError(
            f"{name} is {match[1]}://{match[2]}, an address and no path on this machine",
            "Mount the bucket, as export/tpu does with gcsfuse, and give the path below the place it is mounted at.",
        )
