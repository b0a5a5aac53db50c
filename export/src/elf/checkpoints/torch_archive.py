"""Archives of `torch.save`, read without torch: a zip file with a pickle of what there is and a file for each storage.

Tensors stay in the archive until they are asked for. A storage that some program compressed is unpacked then.
"""

import struct
import zipfile
from pathlib import Path
from typing import Any

from elf.checkpoints.restricted_unpickler import unpickle
from elf.checkpoints.stored import Tree, Unread, UnsupportedError, plain_tree
from elf.checkpoints.torch_tensors import ALLOWED, UNKNOWN_STORAGE, Kind, Storage

LOCAL_HEADER = 30
"""Bytes before the name of a file inside a zip."""

ENCRYPTED = 1
"""Flag of a file inside a zip."""

MAX_PICKLE = 256_000_000
"""Bytes of the pickle where it is compressed; it has names and shapes only."""


def read_torch_archive(path: Path) -> Tree:
    """The tree of an archive. Raises ValueError for one that is broken, UnsupportedError for another kind of zip, and
    OSError."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(path, archive)
    except (zipfile.BadZipFile, struct.error, EOFError) as error:
        raise ValueError(str(error)) from error
    except (NotImplementedError, RuntimeError) as error:  # a method that zipfile lacks, or a password
        raise UnsupportedError(f"it cannot be unpacked: {error}", "Unpack it, and save it again.") from error


def _read(path: Path, archive: zipfile.ZipFile) -> Tree:
    entries = {entry.filename: entry for entry in archive.infolist()}
    pickles = [name for name in entries if name == "data.pkl" or name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise UnsupportedError(
            f"it is a zip file, but none of torch.save: there is {'no' if not pickles else 'more than one'} data.pkl "
            "in it",
            "Unpack it if a checkpoint is packed in it.",
        )
    if entries[pickles[0]].compress_type != zipfile.ZIP_STORED and entries[pickles[0]].file_size > MAX_PICKLE:
        raise ValueError(f"its data.pkl would be {entries[pickles[0]].file_size:,} bytes")
    root = pickles[0].removesuffix("data.pkl")
    big_endian = f"{root}byteorder" in entries and archive.read(f"{root}byteorder") != b"little"

    def storage(key: Any) -> Storage | Unread:
        if not (isinstance(key, tuple) and len(key) == 5 and key[0] == "storage" and isinstance(key[1], Kind)):
            return UNKNOWN_STORAGE
        _, kind, name, _, count = key
        entry = entries.get(f"{root}data/{name}")
        if entry is None:
            return Storage(path, 0, 0, kind, lacks=f"its storage {name!r} is not in the archive")
        if big_endian:
            return Storage(path, 0, 0, kind, lacks="its numbers are big-endian", damaged=False)
        if entry.flag_bits & ENCRYPTED:
            return Storage(path, 0, 0, kind, lacks=f"its storage {name!r} is encrypted", damaged=False)
        size = count * kind.bytes if isinstance(count, int) and kind.bytes else entry.file_size
        if not 0 <= size <= entry.file_size:
            return Storage(path, 0, 0, kind, lacks=f"its storage has {entry.file_size} bytes for {count} numbers")
        if entry.compress_type != zipfile.ZIP_STORED:
            return Storage(path, 0, size, kind, entry.filename)
        try:
            return Storage(path, data_offset(path, entry), size, kind)
        except ValueError as error:
            return Storage(path, 0, 0, kind, lacks=str(error))

    with archive.open(pickles[0]) as file:
        return plain_tree(unpickle(file, ALLOWED, storage))  # type: ignore[arg-type]


def data_offset(path: Path, entry: zipfile.ZipInfo) -> int:
    """Where a file's bytes start; the lengths before them are those of its local header, which may differ."""
    with path.open("rb") as file:
        file.seek(entry.header_offset)
        header = file.read(LOCAL_HEADER)
    if not header.startswith(b"PK\x03\x04"):
        raise ValueError(f"{entry.filename} is not where its table of contents says")
    name, extra = struct.unpack("<HH", header[26:30])
    return entry.header_offset + LOCAL_HEADER + name + extra
