"""Archives of `torch.save`, read without torch: a zip file with a pickle of what there is and a file for each storage.

As `torch.load(weights_only=True)` does, the pickle may only put tensors, numbers and containers together. Tensors stay
in the archive, which keeps them uncompressed, until they are asked for.
"""

import struct
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elf.checkpoints.restricted_unpickler import Allowed, unpickle
from elf.checkpoints.stored import DTYPES, FileTensor, Tree, plain_tree

STORAGES = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
}
"""Torch's classes of storage → NumPy's names of what is in them."""

LOCAL_HEADER = 30
"""Bytes before the name of a file inside a zip."""

MAX_PICKLE = 64_000_000
"""Bytes of the pickle, which has names and shapes only."""


@dataclass(frozen=True)
class Storage:
    """A run of numbers in the archive."""

    path: Path
    offset: int
    dtype: str
    count: int


def _tensor(
    storage: Any, offset: Any, shape: Any, strides: Any, requires_grad: Any = None, hooks: Any = None, meta: Any = None
) -> FileTensor:
    """Stands in for torch._utils._rebuild_tensor_v2."""
    numbers = [offset, *shape, *strides]
    if not isinstance(storage, Storage) or not all(isinstance(n, int) and n >= 0 for n in numbers):
        raise ValueError("it has a tensor without a storage")
    if len(shape) != len(strides):
        raise ValueError(f"it has a tensor of shape {tuple(shape)} and {len(strides)} strides")
    dtype = DTYPES[storage.dtype]
    place = storage.offset + offset * dtype.itemsize
    tensor = FileTensor(storage.path, place, dtype, tuple(shape), tuple(strides))
    if offset + tensor.span > storage.count:
        raise ValueError(f"a tensor of shape {tuple(shape)} reaches beyond its storage")
    return tensor


def _parameter(tensor: Any, requires_grad: Any = None, hooks: Any = None) -> Any:
    return tensor


ALLOWED: Allowed = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch", "Size"): tuple,
    **{("torch", name): dtype for name, dtype in STORAGES.items()},
}


def read_torch_archive(path: Path) -> Tree:
    """The tree of an archive. Raises ValueError for what is no data, is compressed or broken, and OSError."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(path, archive)
    except (zipfile.BadZipFile, struct.error, NotImplementedError) as error:
        raise ValueError(str(error)) from error


def _read(path: Path, archive: zipfile.ZipFile) -> Tree:
    entries = {entry.filename: entry for entry in archive.infolist()}
    pickles = [name for name in entries if name == "data.pkl" or name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise ValueError("it is a zip file, but none of torch.save: there is no data.pkl in it")
    if entries[pickles[0]].file_size > MAX_PICKLE:
        raise ValueError(f"its data.pkl would be {entries[pickles[0]].file_size:,} bytes")
    root = pickles[0].removesuffix("data.pkl")
    if f"{root}byteorder" in entries and archive.read(f"{root}byteorder") != b"little":
        raise ValueError("its numbers are big-endian")

    def storage(key: Any) -> Storage:
        kind, dtype, name, _, count = key
        entry = entries.get(f"{root}data/{name}")
        if kind != "storage" or dtype not in DTYPES or entry is None:
            raise ValueError(f"it refers to the storage {name!r}, which is not in it")
        if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
            raise ValueError("its storages are compressed")
        if not isinstance(count, int) or not 0 <= count * DTYPES[dtype].itemsize <= entry.file_size:
            raise ValueError(f"its storage {name} has {entry.file_size} bytes for {count} numbers")
        return Storage(path, _data_offset(path, entry), dtype, count)

    with archive.open(pickles[0]) as file:
        found = unpickle(file, ALLOWED, storage)  # type: ignore[arg-type]
    return plain_tree(found)


def _data_offset(path: Path, entry: zipfile.ZipInfo) -> int:
    """Where a file's bytes start; the lengths before them are those of its local header, which may differ."""
    with path.open("rb") as file:
        file.seek(entry.header_offset)
        header = file.read(LOCAL_HEADER)
    if not header.startswith(b"PK\x03\x04"):
        raise ValueError(f"{entry.filename} is not where its table of contents says")
    name, extra = struct.unpack("<HH", header[26:30])
    return entry.header_offset + LOCAL_HEADER + name + extra
