"""Files that are something else than their name says, known by how they begin: packed, another program's, or only a
note of where the file lies."""

from pathlib import Path
from typing import NamedTuple

from elf.errors import ElfError


class Foreign(NamedTuple):
    what: str
    """"packed by gzip": what may follow "it is"."""
    action: str = ""
    """What to do whatever was wanted; empty where that depends on it."""
    for_text: str = "Save its text as plain UTF-8 text."
    """What to do where a text was wanted."""


UNPACK = "Unpack it, and give what is in it."

SIGNS = {
    b"version https://git-lfs": Foreign(
        "only the pointer of a file kept by Git LFS", "Run `git lfs pull` there, or download the file itself."
    ),
    b"\x1f\x8b": Foreign("packed by gzip", UNPACK),
    **{b"BZh%d1AY&SY" % level: Foreign("packed by bzip2", UNPACK) for level in range(1, 10)},
    b"\xfd7zXZ\x00": Foreign("packed by xz", UNPACK),
    b"\x28\xb5\x2f\xfd": Foreign("packed by zstd", UNPACK),
    b"7z\xbc\xaf\x27\x1c": Foreign("packed by 7-Zip", UNPACK),
    b"PAR1": Foreign("a Parquet file", for_text="Name it .parquet, and it is read by its columns."),
    b"ARROW1\0": Foreign("an Arrow file", for_text="Name it .arrow, and it is read by its columns."),
    b"%PDF-": Foreign("a PDF"),
    b"\xd0\xcf\x11\xe0": Foreign("a document of an office program"),
    b"SQLite format 3\0": Foreign("an SQLite database"),
    b"\x89HDF": Foreign("an HDF5 file"),
    b"GGUF": Foreign("a GGUF file"),
}
"""How files begin → what they are."""

LONGEST = max(map(len, SIGNS))


def foreign_file(beginning: bytes) -> Foreign | None:
    """What a file is that begins so; None for what may be anything else."""
    return next((known for sign, known in SIGNS.items() if beginning.startswith(sign)), None)


def refuse_pointer(path: Path, error: type[ElfError]) -> None:
    """Raises `error` where only the pointer of a file lies in its place. Says nothing of what cannot be read at all."""
    try:
        with path.open("rb") as file:
            found = foreign_file(file.read(LONGEST))
    except OSError:
        return
    if found and "pointer" in found.what:
        raise error(f"{path} is {found.what}", found.action)
